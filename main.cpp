// The composition root: settings, log, database, actors, HTTP; waits for a signal; stops in reverse.
int main() { return 0; }
