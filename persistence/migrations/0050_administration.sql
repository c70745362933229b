-- Few accounts have a role; whoever changes one has to find all super_admins.
CREATE INDEX accounts_role ON accounts (role) WHERE role <> 'viewer';
