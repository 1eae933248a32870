"""What the names of columns, and the texts in them, say. Names are compared as words: `AccountId` is `account id`."""

from __future__ import annotations

import re
from collections.abc import Iterable


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")

# Names of a label, by themselves or with what LABEL_TRIMMINGS lists.
LABEL_WORDS = _listed(
    "label target y outcome class response converted conversion convert churn churned purchased purchase bought buyer "
    "buy subscribed subscribe subscriber clicked click signup activated renewed cancelled canceled cancellation exited "
    "attrition attrited survived defaulted fraud won deposit upgraded responded revenue retained left paid ordered "
    "booked hired approved accepted "
    "gekauft kauf kauft gekuendigt gekündigt kündigung abgeschlossen achat acheté achete résilié resilie converti "
    "compra compró compro comprado acquisto churned 구매 구매여부 전환 전환여부 이탈 이탈여부 해지 해지여부 購入 解約 "
    "コンバージョン 购买 流失"
)
# Words that make a name look like a label's where they are one word of several.
LABEL_PARTS = LABEL_WORDS | {"default"}
LABEL_TRIMMINGS = _listed("is has did was will flag label status target in d days day 여부")
# Words that say that a column tells of the past, or of a plan: it is less likely the label.
EARLIER_WORDS = _listed("previous previously prior last past before earlier ever first old recent historical")
# Names of columns with two values that describe a row and are hardly its label.
DESCRIBING_WORDS = _listed(
    "gender sex weekend holiday mobile device desktop partner dependents married marital senior member treatment "
    "exposure group male female phone smoker test train split sample new active student urban paperless optin gdpr "
    "consent email newsletter housing loan card cr has is geschlecht sexe sexo 성별 性別 性别"
)

_POSITIVE = _listed(
    "yes true 1 1.0 converted churned attrited purchased bought subscribed clicked positive pos buyer won win success "
    "accepted approved exited left cancelled canceled defaulted fraud paid responded activated renewed upgraded "
    "ja oui si sí sì sim da 예 네 はい 是 wahr vrai 구매 전환 이탈"
)
_NEGATIVE = _listed(
    "no false 0 0.0 -1 -1.0 negative neg lost lose failure failed rejected declined stayed retained existing "
    "active none never nein non não nao nyet 아니오 아니요 いいえ 否 falsch faux 미구매 미전환 유지 비구매"
)
_LETTERS = {("y", "n"), ("t", "f"), ("j", "n"), ("o", "n"), ("s", "n")}  # single letters tell only as a pair
_NEGATIONS = ("not ", "non ", "non-", "no ", "never ", "un", "did not ", "nicht ", "kein ", "미", "비", "未", "不")

ID_WORDS = _listed(
    "id ids uuid guid key hash token identifier uid pid cookie ssn iban imei msisdn fingerprint 번호 아이디 id번호"
)
# Words for whose row it is, which make an identifier the key rather than another one.
OWNER_WORDS = _listed(
    "user customer account client member visitor person subscriber patient household company lead contact kunde "
    "kunden client cliente utilisateur konto 고객 회원 사용자 顧客 会員 客户 用户"
)
ROW_NUMBER_WORDS = _listed("index row rownum rownumber unnamed nr no number lfd")

# Names of numbers that stand for a thing.
CODE_WORDS = _listed(
    "code codes type types category categories class segment group region browser os system systems channel source "
    "medium device platform version plan store branch shop zone district zip postal postcode plz country "
    "state city county sector industry department month weekday dayofweek dow quarter language locale currency model "
    "brand product sku tariff tier status cluster grade location site route carrier provider operator cat "
    "gender sex race marital education occupation kategorie monat 코드 지역 유형 월 요일 상품 등급"
)
COUNT_WORDS = _listed(
    "n num count counts cnt number visits sessions purchases orders clicks views pages events logins calls tickets "
    "items transactions visit orders carts messages emails opens downloads searches returns complaints "
    "횟수 건수 수 anzahl nombre cantidad"
)

# Words that mean the day at which a row is looked at only if they stand alone.
DATE_WORDS = _listed("date day dt ds datum fecha data time timestamp 날짜 일자 日付 日期")
# Words of numbers that are times.
TIME_WORDS = _listed("time timestamp ts date day created updated at epoch on signup seen login 시각 일시")
# Words that put a date after all that a row tells of.
AFTERWARDS_WORDS = _listed(
    "last latest next cancelled canceled cancellation churn churned expiry expires expired expiration until due "
    "modified updated deleted"
)
# Words of dates at which a row is looked at, or at which what it tells of happened.
SNAPSHOT_WORDS = _listed(
    "snapshot asof observation observed reference ref cutoff score scored scoring reporting report period date day "
    "dt ds event session visit order ordered transaction contact contacted call application applied trial invoice "
    "datum stichtag fecha data 날짜 일자 기준일 주문일 日付 日期"
)
START_WORDS = _listed(
    "created create signup signed registered registration register joined join start started opened open first "
    "onboarded acquired since added entry 가입일 등록일 생성일"
)
BIRTH_WORDS = _listed("birth birthday birthdate dob born geburtsdatum geburtstag naissance 생년월일 생일")
# Words of dates that follow the row: what became of it later.
OUTCOME_WORDS = _listed(
    "last latest end ended ends expiry expires expiration expired closed close cancelled canceled cancellation churn "
    "churned converted conversion purchased purchase paid deleted terminated termination resolved updated modified "
    "returned next due renewal renewed until 해지일 종료일 만료일"
)


def words(name: str) -> list[str]:
    """The words of a name in lower case: `Days_Since2ndVisit` is days, since, 2, nd, visit."""
    return [word.casefold() for word in _WORD.findall(name)]


def has_word(name: str, known: Iterable[str]) -> bool:
    """Whether a name holds one of the words. Words of scripts without blanks may stand inside longer ones."""
    own = words(name)
    known = frozenset(known)
    joined = "".join(own)
    if joined in known or any(word in known or word.removesuffix("s") in known for word in own):
        return True
    return any(not word.isascii() and len(word) > 1 and word in joined for word in known)


def is_label_name(name: str) -> bool:
    """Whether a name is that of a label and nothing else: `churn`, `Is_Churned`, `converted_30d`."""
    left = [word for word in words(name) if word not in LABEL_TRIMMINGS and not word.isdigit()]
    if not left:
        return has_word(name, ("label", "target"))
    return "".join(left) in LABEL_WORDS or (len(left) == 1 and left[0] in LABEL_WORDS)


def folded(value: str) -> str:
    """A value without its case and the blanks around it."""
    return value.strip().casefold()


def says_yes(value: str, other: str) -> bool | None:
    """Whether a text is the positive of two: True, False, or None where the words do not tell."""
    value, other = folded(value), folded(other)
    if (value, other) in _LETTERS or (other, value) in _LETTERS:
        return (value, other) in _LETTERS
    for text, opposite, answer in ((value, other, False), (other, value, True)):
        if any(text == start + opposite or text == start.strip() + opposite for start in _NEGATIONS):
            return answer
    yes, no = _is_yes(value), _is_no(value)
    other_yes, other_no = _is_yes(other), _is_no(other)
    if no != other_no:
        return other_no
    if yes != other_yes and not (_is_number(value) and _is_number(other)):
        return yes
    return None


def _is_yes(text: str) -> bool:
    has_yes = any(word in _POSITIVE for word in words(text) if len(word) > 2)
    return text in _POSITIVE or (has_yes and not _is_no(text))


def _is_no(text: str) -> bool:
    negated = any(text.startswith(start) for start in ("not ", "non-", "non ", "no ", "never "))
    return text in _NEGATIVE or negated or any(word in _NEGATIVE for word in words(text) if len(word) > 2)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
