"""Every setting, read from the environment once, when the app is created."""

from pathlib import Path
from typing import Annotated, Literal, Self

from babel import Locale, UnknownLocaleError
from pydantic import AliasChoices, Field, field_validator, model_validator
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
        hide_input_in_errors=True,
    )

    secret_key: str = Field(
        default="",
        repr=False,
        validation_alias=_both("SECRET_KEY"),
        description="Signs cookies and links. Required.",
    )
    database_url: str = Field(
        default="sqlite:///var/coursewire.sqlite3",
        repr=False,
        validation_alias=_both("DATABASE_URL"),
        description="SQLAlchemy URL; postgres:// is understood.",
    )
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        repr=False,
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
        default=("accounts", "courses", "media", "chapters", "presence", "status"),
        description="Names of the plugins to load, separated by commas.",
    )
    languages: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("en", "de"),
        min_length=1,
        description="Languages that people are answered in, separated by commas. Texts without a "
        "translation stay English.",
    )
    default_language: str = Field(
        default="en",
        description="One of them: for those whose browser asks for none that is offered, and for "
        "mails to those who never chose.",
    )
    storage: Literal["local", "s3"] = Field(
        default="local",
        description="Where files lie: in a folder (`upload_dir`), or in a bucket of S3 or what "
        "speaks like it (extra `s3`).",
    )
    upload_dir: Path = Field(
        default=Path("var/uploads"),
        description="Where uploads are stored; with S3, where those of forms without scripts wait.",
    )
    s3_bucket: str = Field(default="", description="The bucket. Required where `storage` is s3.")
    s3_prefix: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9_.-]+/)*$",
        description="Before the name of every object, ending in “/”: several sites, one bucket.",
    )
    s3_region: str = Field(
        default="", description="The bucket's region; else what boto3 finds (`AWS_REGION`)."
    )
    s3_endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^/\s]+/?)?$",
        description="The address of a storage that speaks like S3, as browsers reach it too. "
        "Empty: Amazon's.",
    )
    s3_address_s: int = Field(
        default=3_600,
        ge=1,
        le=604_800,
        description="How long a signed address of a file can be played from, or of a part sent to.",
    )
    max_upload_bytes: int = Field(default=500_000_000, ge=1, description="Largest upload.")
    upload_part_bytes: int = Field(
        default=8_388_608,
        ge=65_536,
        le=1_000_000_000,
        description="Size of the parts in which browsers send a file (S3: 5 MiB at least).",
    )
    uploads_per_user: int = Field(
        default=50, ge=1, description="Unfinished uploads per user; further ones are a 429."
    )
    upload_keep_h: float = Field(
        default=168.0,
        gt=0,
        description="How long an interrupted upload can go on, in hours; then its parts go.",
    )
    trash_days: float = Field(
        default=30.0, gt=0, description="How long a video can be restored from the trash."
    )
    audit_days: float = Field(
        default=365.0, gt=0, description="How long the plugin `audit` keeps what was done."
    )
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
    inspector: Literal["staff", "open", "off"] = Field(
        default="staff",
        description="Who may ask why a screen moved (`/live/why`, `/live/traces`, `/live/map`): "
        "the site's staff, everybody who is signed in (`flask serve`), or nobody.",
    )
    log_format: Literal["json", "text"] = Field(
        default="json",
        description="Log lines as JSON, each an object with its trace; or as text (`flask serve`).",
    )
    sightings_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of the writes on which browsers report when they have painted them.",
    )
    canary_s: float = Field(
        default=30.0,
        ge=0,
        description="About how often a canary is written and watched until it is seen, once for "
        "all workers; 0: only while somebody looks at `/status`.",
    )
    metrics_token: str = Field(
        default="",
        repr=False,
        description="What `/metrics` wants as Authorization: Bearer. Without one, only this "
        "machine itself may ask, past every proxy.",
    )
    trusted_proxies: int = Field(
        default=0, ge=0, description="Proxies in front whose X-Forwarded-* headers are believed."
    )
    secure_cookies: Literal["auto", "always"] = Field(
        default="auto", description="“auto”: Secure on https requests; “always”: on every one."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Names under which the site is served, separated by commas; “.example.org” is "
        "all below it too. Requests for others are a 400. Without any, every name is taken.",
    )
    hsts_subdomains: bool = Field(
        default=False,
        description="Over https, browsers are told to stay there for every name below ours too.",
    )
    secret_key_fallbacks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        repr=False,
        description="Earlier values of `SECRET_KEY`, separated by commas: what they signed "
        "is still believed, and nothing is signed with them.",
    )
    sign_in_tries: int = Field(
        default=10,
        ge=1,
        description="Wrong passwords for one account from one network address, or one browser that "
        "has signed in to it before, in five minutes; further ones are a 429.",
    )
    sign_in_tries_per_address: int = Field(
        default=100,
        ge=1,
        description="Wrong passwords from one network address in five minutes, for all accounts.",
    )
    sign_in_tries_per_account: int = Field(
        default=100,
        ge=1,
        description="Wrong passwords for one account in an hour, from all browsers that never "
        "signed in to it; those that did are not kept out.",
    )
    session_days: float = Field(
        default=30.0,
        gt=0,
        le=400,
        description="A session ends so many days after the sign-in, however much it is used.",
    )
    session_idle_days: float = Field(
        default=7.0,
        gt=0,
        le=400,
        description="A session ends when nobody opened a page or changed anything for so long. "
        "What an open page reads by itself does not count.",
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^/\s?#@]+)?/?$",
        description="The site's address, as in https://courses.example.com: before the links that "
        "commands print and mails carry. No request is believed for it.",
    )
    smtp_host: str = Field(
        default="",
        description="The mail server. Without one no mail is sent; commands print links.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="The port of the mail server.")
    smtp_tls: Literal["starttls", "always", "off"] = Field(
        default="starttls",
        description="“starttls”: TLS from the greeting on, or no mail; “always”: from the first "
        "byte (port 465); “off”: none, for a server on this machine.",
    )
    smtp_user: str = Field(default="", description="The name to sign in to the mail server with.")
    smtp_password: str = Field(default="", repr=False, description="The password beside it.")
    mail_from: str = Field(
        default="", description="From whom mails come: Coursewire <courses@example.com>."
    )
    oidc_issuer: str = Field(
        default="",
        description="An OpenID Connect provider, by its issuer's address: people may sign in with "
        "it. Needs the extra `oidc`, and `public_url`.",
    )
    oidc_client_id: str = Field(default="", description="What the provider knows this site by.")
    oidc_client_secret: str = Field(
        default="", repr=False, description="The secret beside it; none for a public client."
    )
    oidc_name: str = Field(
        default="single sign-on", max_length=40, description="What people call the provider."
    )
    oidc_link_by_email: bool = Field(
        default=False,
        description="Whoever the provider says has proven an e-mail address signs in to its "
        "account here. Only for a provider that you trust with every account.",
    )
    oidc_create: bool = Field(
        default=False, description="Whoever the provider knows, and nobody here, gets an account."
    )
    actions_per_user: int = Field(
        default=1_200,
        ge=1,
        description="Actions of one user in a minute, on each worker; further ones are a 429.",
    )
    actions_per_address: int = Field(
        default=6_000,
        ge=1,
        description="Actions from one network address in a minute, on each worker, of all who "
        "share it.",
    )
    searches_per_user: int = Field(
        default=600,
        ge=1,
        description="Searches, filters and pages (reads with options) of one user in a minute, on "
        "each worker; further ones are a 429.",
    )
    demo: bool = Field(
        default=False, description="Demonstration accounts exist (set by `flask serve` only)."
    )

    @field_validator("plugins", "languages", "secret_key_fallbacks", "allowed_hosts", mode="before")
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

    @field_validator("languages")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            try:
                known = str(Locale.parse(name, sep="-")).replace("_", "-") == name
            except (ValueError, UnknownLocaleError):
                known = False
            if not known:
                raise ValueError(f"“{name}” is no language. Write it as in HTML: de, pt-BR.")
        return value

    @field_validator("upload_dir")
    @classmethod
    def _from_root(cls, value: Path) -> Path:
        return _ROOT / value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.default_language not in self.languages:
            raise ValueError(f"default_language is none of languages: {', '.join(self.languages)}.")
        if self.oidc_issuer and not (self.oidc_client_id and self.public_url):
            raise ValueError("oidc_issuer needs oidc_client_id and public_url beside it.")
        return self

    @property
    def sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.database_url.startswith("sqlite")
