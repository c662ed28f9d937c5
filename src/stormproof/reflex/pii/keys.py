"""Keys and tokens whose issuers give them a form of their own."""

import re
from collections.abc import Iterable
from typing import Final

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_LEAST_DIFFERENT: Final = 8

_API_KEYS: Final = {  # by issuers: what is in a text that has one, and how one looks
    "airtable": (r"\bpat[A-Za-z0-9]{14}\.", r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    "anthropic": (r"\bsk-ant-", r"\bsk-ant-[a-z]+\d{2}-[A-Za-z0-9_-]{20,}"),
    "aws": (r"\bA(?:KIA|SIA|BIA|CCA)", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    "cloudflare": (r"\bv1\.0-", r"\bv1\.0-[0-9a-f]{24}-[0-9a-f]{146}\b"),
    "databricks": (r"\bdapi[0-9a-f]", r"\bdapi[0-9a-f]{32}(?:-\d)?\b"),
    "elevenlabs": (r"\bsk_[0-9a-f]", r"\bsk_[0-9a-f]{48}\b"),
    "google": (r"\bAIza", r"\bAIza[A-Za-z0-9_-]{35}"),
    "grafana": (r"\bgls?[ac]_", r"\bgls?[ac]_[A-Za-z0-9+/]{32,}={0,2}(?:_[0-9a-f]{8})?"),
    "groq": (r"\bgsk_", r"\bgsk_[A-Za-z0-9]{40,}"),
    "langsmith": (r"\blsv2_", r"\blsv2_[a-z]{2}_[0-9a-f]{32}_[0-9a-f]{10}"),
    "linear": (r"\blin_(?:api|oauth)_", r"\blin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    "mailchimp": (r"[0-9a-f]-us\d", r"\b[0-9a-f]{32}-us\d{1,2}\b"),
    "mailgun": (r"\bkey-[0-9a-f]", r"\bkey-[0-9a-f]{32}\b"),
    "new relic": (r"\bNRAK-", r"\bNRAK-[A-Z0-9]{27}\b"),
    "nvidia": (r"\bnvapi-", r"\bnvapi-[A-Za-z0-9_-]{40,}"),
    "openai": (r"\bsk-", r"\bsk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}"),
    "perplexity": (r"\bpplx-", r"\bpplx-[A-Za-z0-9]{32,}"),
    "postman": (r"\bPMAK-", r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}\b"),
    "replicate": (r"\br8_", r"\br8_[A-Za-z0-9]{37}\b"),
    "sendgrid": (r"\bSG\.", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    "square": (r"\bsq0", r"\bsq0[a-z]{3}-[A-Za-z0-9_-]{22,43}"),
    "stripe": (
        r"\b[sr]k_(?:live|test)_|\bwhsec_",
        r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9+/]{24,}={0,2}",
    ),
    "twilio": (r"\b(?:SK|AC)[0-9a-f]{4}", r"\b(?:SK|AC)[0-9a-f]{32}\b"),
    "xai": (r"\bxai-", r"\bxai-[A-Za-z0-9]{60,}"),
}
_TOKENS: Final = {
    "atlassian": (r"\bATATT3", r"\bATATT3[A-Za-z0-9_-]{60,}(?:=[0-9A-F]{8})?"),
    "digitalocean": (r"\bdo[opr]_v1_", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    "discord": (
        r"\b[MNO][A-Za-z0-9_-]*\.[A-Za-z0-9_-]{6}\.",
        r"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}",
    ),
    "docker": (r"\bdckr_", r"\bdckr_[a-z]+_[A-Za-z0-9_-]{20,}"),
    "figma": (r"\bfig[dour]_", r"\bfig[dour]_[A-Za-z0-9_-]{36,}"),
    "github": (
        r"\bgh[pousr]_|\bgithub_pat_",
        r"\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{36,}",
    ),
    "gitlab": (r"\bgl[a-z]{2,6}-", r"\bgl[a-z]{2,6}-[A-Za-z0-9_-]{20,}(?:\.[0-9a-z.]+)?"),
    "google": (r"\bya29\.|\bGOCSPX-", r"\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{24,}"),
    "hugging face": (r"\bhf_|\bapi_org_", r"\bhf_[A-Za-z0-9]{30,}\b|\bapi_org_[A-Za-z0-9]{30,}"),
    "netlify": (r"\bnfp_", r"\bnfp_[A-Za-z0-9]{36,}"),
    "notion": (r"\bntn_|\bsecret_", r"\bntn_[A-Za-z0-9]{40,}|\bsecret_[A-Za-z0-9]{43}\b"),
    "npm": (r"\bnpm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
    "planetscale": (r"\bpscale_", r"\bpscale_[a-z]+_[A-Za-z0-9_.-]{32,}"),
    "pypi": (r"\bpypi-", r"\bpypi-[A-Za-z0-9_-]{50,}"),
    "rubygems": (r"\brubygems_", r"\brubygems_[0-9a-f]{48}\b"),
    "sentry": (r"\bsntry[su]_", r"\bsntry[su]_[A-Za-z0-9+/=_-]{40,}"),
    "shopify": (r"\bshp[a-z]{2}_", r"\bshp(?:at|ca|pa|ss|ua)_[0-9A-Fa-f]{32}\b"),
    "slack": (
        r"\bxox[a-z]-|\bxapp-|\bhooks\.slack",
        r"\bxox[a-z]-[A-Za-z0-9-]{20,}|\bxapp-\d-[A-Za-z0-9-]{20,}"
        r"|\bhooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9+/]{30,}",
    ),
    "supabase": (r"\bsbp_", r"\bsbp_[0-9a-f]{40}\b"),
    "telegram": (r"\d:AA", r"\b\d{8,10}:AA[A-Za-z0-9_-]{32,33}"),
    "vault": (r"\bhv[sbr]\.", r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
}


_ROWS: Final = tuple(
    (kind, issuer, sign, form)
    for kind, forms in ((Kind.API_KEY, _API_KEYS), (Kind.TOKEN, _TOKENS))
    for issuer, (sign, form) in forms.items()
)
_SIGNS: Final = "|".join(sign for _, _, sign, _ in _ROWS)
_FORMS: Final = "|".join(form for _, _, _, form in _ROWS)
_BY_ROW: Final = re.compile("|".join(f"({form})" for _, _, _, form in _ROWS))


def _key(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield a key, unless it is an example's: ``sk-your-api-key-goes-here``, ``ghp_xxxxxxxx``."""
    key, row = text[start:end], _BY_ROW.match(text, start, end)
    example = key.islower() and not any(one.isdigit() for one in key)
    if row and row.lastindex and not example and len(set(key)) >= _LEAST_DIFFERENT:
        kind, issuer, *_ = _ROWS[row.lastindex - 1]
        yield Finding(kind, start, end, issuer)


RECOGNISER: Final = Recogniser(frozenset({Kind.API_KEY, Kind.TOKEN}), _SIGNS, _FORMS, _key)
