"""Every setting, read from the environment once, when the app is created."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_ROOT = Path(__file__).resolve().parent.parent
"""What relative paths start from, wherever a command is run."""

_SQLITE = "sqlite:///"
_PLAIN_POSTGRES = ("postgres://", "postgresql://")


def _both(name: str) -> AliasChoices:
    """*name* as platforms set it, or with our prefix, which wins."""
    return AliasChoices(f"COURSEWIRE_{name}", name)


class Settings(BaseSettings):
    """The settings of one app; each is the environment variable ``COURSEWIRE_<NAME>``."""

    model_config = SettingsConfigDict(
        env_prefix="COURSEWIRE_",
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        validate_default=True,
    )

    secret_key: str = Field(
        default="", validation_alias=_both("SECRET_KEY"), description="Signs cookies. Required."
    )
    database_url: str = Field(
        default="sqlite:///var/coursewire.sqlite3",
        validation_alias=_both("DATABASE_URL"),
        description="SQLAlchemy URL; postgres:// is understood.",
    )
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        validation_alias=_both("REDIS_URL"),
        description="Redis or Valkey; redis://, rediss:// or unix://.",
    )
    redis_tls_verify: bool = Field(
        default=True,
        description="Check the certificate of rediss://. Heroku's is self-signed: false there.",
    )
    redis_prefix: str = Field(
        default="coursewire",
        pattern=r"^[A-Za-z0-9_.-]{1,40}$",
        description="Before every Redis key and channel, as its hash tag.",
    )
    redis_timeout_s: float = Field(
        default=0.25, gt=0, le=5, description="Longest wait for one answer of Redis in a request."
    )
    redis_pool_size: int = Field(
        default=3, ge=1, description="Redis connections per worker, beside the subscriber's one."
    )
    database_pool_size: int = Field(
        default=4, ge=1, description="Database connections per worker (PostgreSQL)."
    )
    database_timeout_s: float = Field(
        default=5.0, gt=0, description="Longest wait for a connection or for SQLite's write lock."
    )
    plugins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("accounts", "courses", "media", "chapters"),
        description="Names of the plugins to load, separated by commas.",
    )
    upload_dir: Path = Field(default=Path("var/uploads"), description="Where uploads are stored.")
    max_upload_bytes: int = Field(default=500_000_000, ge=1, description="Largest upload.")
    max_body_bytes: int = Field(
        default=1_000_000, ge=1000, description="Largest body of an action that takes no file."
    )
    versions_kept: int = Field(
        default=100_000, ge=100, description="Keys whose versions Redis keeps, newest first."
    )
    versions_loaded: int = Field(
        default=10_000, ge=1, description="Newest versions that a hub loads at its start."
    )
    cache_bytes: int = Field(
        default=32_000_000,
        ge=0,
        description="Bodies that Redis keeps, compressed; 0: every read asks the database.",
    )
    cache_memory_bytes: int = Field(
        default=32_000_000, ge=0, description="Bodies that each worker keeps in its own memory."
    )
    cache_ttl_s: float = Field(
        default=3600.0, gt=0, description="How long Redis keeps a body that nothing made stale."
    )
    lease_s: float = Field(
        default=3.0,
        gt=0,
        description="How long others wait for the one who reads a key for all of them.",
    )
    keys_per_stream: int = Field(
        default=100, ge=1, description="Keys that one stream may watch; more are a 400."
    )
    streams_per_worker: int = Field(
        default=2_000, ge=1, description="Open streams per worker; further ones are a 503."
    )
    streams_per_user: int = Field(
        default=50, ge=1, description="Open streams per user and worker; further ones are a 429."
    )
    streams_per_address: int = Field(
        default=1_000,
        ge=1,
        description="Open streams per network address and worker; further ones are a 429.",
    )
    stall_s: float = Field(
        default=30.0,
        gt=0,
        description="How long a browser may refuse data before its stream ends.",
    )
    heartbeat_s: float = Field(default=15.0, ge=0.05, le=55, description="Between two beats.")
    outbox_age_s: float = Field(
        default=2.0, gt=0, description="Age at which the sweeper takes an outbox row."
    )
    sweep_s: float = Field(default=1.0, gt=0, description="Between two rounds of the sweeper.")
    reaction_timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=300,
        description="Longest run of one reaction; then it is ended and tried again (under gevent).",
    )
    freshness: Literal["strict", "heal", "off"] = Field(
        default="heal",
        description="Forgotten invalidations: “heal” finds and heals them within its share of "
        "time; “strict” finds all and heals none (`flask serve`); “off” looks for none.",
    )
    freshness_share: float = Field(
        default=0.02,
        gt=0,
        le=1,
        description="Share of a worker's time in which it looks for forgotten invalidations.",
    )
    trusted_proxies: int = Field(
        default=0, ge=0, description="Proxies in front whose X-Forwarded-* headers are believed."
    )
    secure_cookies: Literal["auto", "always"] = Field(
        default="auto", description="“auto”: Secure on https requests; “always”: on every one."
    )
    demo: bool = Field(
        default=False, description="Demonstration accounts exist (set by `flask serve` only)."
    )

    @field_validator("plugins", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("database_url")
    @classmethod
    def _understood(cls, value: str) -> str:
        """Heroku-style platforms say ``postgres://``, which SQLAlchemy refuses."""
        for plain in _PLAIN_POSTGRES:
            if value.startswith(plain):
                return "postgresql+psycopg://" + value.removeprefix(plain)
        if value.startswith(_SQLITE) and not value.startswith((_SQLITE + "/", _SQLITE + ":")):
            return f"{_SQLITE}{_ROOT / value.removeprefix(_SQLITE)}"
        return value

    @field_validator("upload_dir")
    @classmethod
    def _from_root(cls, value: Path) -> Path:
        return _ROOT / value

    @property
    def sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.database_url.startswith("sqlite")
