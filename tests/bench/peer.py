"""What we are measured against: the same read of one payment, as a FastAPI application does it.

Started by tests/bench/run with uvicorn; DATABASE_URL and TOKEN_KEY come from the environment.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from datetime import datetime
from typing import Optional
from uuid import UUID

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

app = FastAPI()
key = os.environ["TOKEN_KEY"].encode()


class Invoice(BaseModel):
    invoice_id: str
    payment_id: UUID
    payment_url: str
    amount: float
    currency: str
    status: str
    plan_name: str
    expires_at: Optional[datetime]


@app.on_event("startup")
async def connect():
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=8, max_size=8)


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed_in(authorization: str = Header()) -> UUID:
    """The account of a valid token (HS256)."""
    try:
        head, claims, signature = authorization.removeprefix("Bearer ").split(".")
        expected = hmac.new(key, f"{head}.{claims}".encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(expected, decode(signature)):
            raise HTTPException(401)
        told = json.loads(decode(claims))
        if told["exp"] < time.time():
            raise HTTPException(401)
        return UUID(told["sub"])
    except (ValueError, KeyError):
        raise HTTPException(401) from None


@app.get("/api/v1/payments/{payment_id}/status", response_model=Invoice)
async def payment_status(payment_id: UUID, account: UUID = Depends(signed_in)):
    row = await app.state.pool.fetchrow(
        "SELECT external_id, id, url, amount, currency, state, plan_name, expires_at "
        "FROM payments WHERE id = $1 AND account_id = $2",
        payment_id,
        account,
    )
    if row is None:
        raise HTTPException(404)
    return Invoice(
        invoice_id=row["external_id"],
        payment_id=row["id"],
        payment_url=row["url"],
        amount=row["amount"] / 100,
        currency=row["currency"],
        status=row["state"],
        plan_name=row["plan_name"],
        expires_at=row["expires_at"],
    )
