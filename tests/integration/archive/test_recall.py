"""How much of what holds a text is found by it, in the languages of the company, on a real PostgreSQL.

The truth is the plain one: a message holds the text, whatever its case. Each language's messages are sentences as they
are written, and what is looked for are words, stems and parts of compounds that people look for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from tests.integration.archive.test_blocks import closed
from tests.integration.archive.test_search import archived, found, said

if TYPE_CHECKING:
    from bridge.database import Pool

THAI = """วันนี้มีประชุมใหญ่ที่ห้องประชุมชั้นสาม
กรุณาส่งใบแจ้งหนี้ให้ฝ่ายบัญชีก่อนวันศุกร์
ฝ่ายบัญชีขอเลื่อนการประชุมไปสัปดาห์หน้า
รถบรรทุกคันที่สองออกจากคลังสินค้าแล้ว
สินค้าในคลังไม่พอสำหรับคำสั่งซื้อใหม่
ลูกค้าขอเอกสารสัญญาฉบับใหม่
สัญญาจ้างงานหมดอายุเดือนหน้า
พนักงานใหม่เริ่มงานวันจันทร์
ขอบคุณสำหรับใบแจ้งหนี้ครับ
คนขับรถแจ้งว่ารถเสียที่กรุงเทพมหานคร"""
ESTONIAN = """Tööleping tuleb allkirjastada enne reedet
Saatsin arve raamatupidamisele eile õhtul
Arved on maksmata ja arvete tähtaeg on möödas
Töölepingu lisa on kaustas, vaata töölepinguid
Laoseis ei klapi, laos on puudu kaks kaubaalust
Homme on koosolek, koosoleku päevakord on lisatud
Müügilepingud ja üürilepingud saadame kliendile
Kliendi kaebus jõudis kliendihaldurini
Sõiduki tehnoülevaatus on homme, sõidukid ootavad
Puhkuseavaldus esita personaliosakonnale, puhkus algab juulis"""
ENGLISH = """The annual report is due on Friday
Please review the attached contract and the subcontractor list
Invoices were sent, one invoice is missing
The shipment to the warehouse was delayed
Warehousing costs are reported quarterly
We renegotiated the contracts with both suppliers
Our supplier shipped the wrong pallets
Overtime must be approved by the head of department
I approve the travel expenses
The departmental budget was overspent"""
GERMAN = """Der Arbeitsvertrag muss bis Freitag unterschrieben sein
Die Rechnungsnummer fehlt auf der Schlussrechnung
Vertragsentwurf und Kaufvertrag liegen in der Ablage
Die Kraftfahrzeugsteuer ist im Steuerbescheid enthalten
Wir haben die Lieferverträge und den Rahmenvertrag gekündigt
Das Krankenhaus hat die Eingangsrechnungen geprüft
Hausmeister und Haustechnik kommen morgen
Der Lagerbestand im Außenlager stimmt nicht
Lohnsteuerjahresausgleich und Grunderwerbsteuer besprechen
Sicherheitsbeauftragter prüft die Arbeitssicherheit"""
CHINESE = """明天上午九点在三楼会议室开会
请把合同发给财务部审核
财务部已经收到供应商的发票
仓库里的货物不够，需要补货
供应商要求修改合同条款
新员工下周一入职
司机报告卡车在高速公路上抛锚
会议纪要已经上传到共享文件夹
年度报告的截止日期是星期五
客户投诉货物损坏"""
JAPANESE = """明日の会議は三階の会議室で行います
請求書を経理部に送ってください
経理部から請求書の件で連絡がありました
倉庫の在庫が足りません
契約書の更新は来月です
新しい社員は月曜日に入社します
トラックが高速道路で故障しました
コーヒーマシンの修理を依頼しました
年次報告書の締め切りは金曜日です
東京都の倉庫に荷物が届きました"""
KOREAN = """내일 회의는 삼층 회의실에서 합니다
계약서를 법무팀에 보내 주세요
법무팀에서 계약서를 검토했습니다
창고에 재고가 부족합니다
청구서는 금요일까지 경리부로 보내세요
신입사원이 월요일에 입사합니다
트럭이 고속도로에서 고장났습니다
연례보고서 마감일은 금요일입니다
도서관에서 만나기로 했습니다
거래처가 계약조건 변경을 요청했습니다"""

CASES = [
    ("thai", THAI, "ประชุม ห้องประชุม ใบแจ้งหนี้ บัญชี คลัง สินค้า สัญญา รถ งาน วัน กรุงเทพ พนักงานใหม่", 1.0),
    ("estonian", ESTONIAN, "leping tööleping arve koosolek klien kliendi puhkus sõiduk ladu laos avaldus osakon", 1.0),
    ("english", ENGLISH, "contract contractor report invoice ship warehouse approve budget department supplier", 1.0),
    (
        "german",
        GERMAN,
        "vertrag rechnung steuer haus lager arbeit sicherheit nummer bescheid erwerb verträge jahr",
        1.0,
    ),
    ("chinese", CHINESE, "会议 会 合同 财务部 供应商 货物 报告 发票 高速公路 星期五", 1.0),
    ("japanese", JAPANESE, "会議 会議室 請求書 経理部 倉庫 契約 社員 コーヒー 東京 書", 1.0),
    ("korean", KOREAN, "회의 회의실 계약 계약서 법무팀 금요일 창고 보고서 도서관 서", 1.0),
]


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
@pytest.mark.parametrize(("language", "text", "sought", "least"), CASES, ids=[case[0] for case in CASES])
async def test_what_holds_a_text_is_found(
    pool: Pool, language: str, text: str, sought: str, least: float, *, old: bool
) -> None:
    """Of the messages that hold the text, at least so many are found, among those of all the other languages."""
    lines = [line for _, each, _, _ in CASES for line in each.split("\n")]
    await archived(pool, *(said(f"${number}", line, number) for number, line in enumerate(lines)))
    if old:
        await closed(pool)
    assert await recall(pool, lines, sought.split(" ")) >= least


async def recall(pool: Pool, lines: Sequence[str], sought: Sequence[str]) -> float:
    """Return the part of what holds each text that is found by it."""
    held = hit = 0
    for word in sought:
        truth = {f"${number}" for number, line in enumerate(lines) if word.casefold() in line.casefold()}
        hits = set(await found(pool, word, limit=100))
        held, hit = held + len(truth), hit + len(truth & hits)
        if truth - hits:
            print(f"not found by {word}: {[lines[int(number[1:])] for number in truth - hits]}")  # noqa: T201
    return hit / held


@pytest.mark.parametrize(
    ("phrase", "line"),
    [
        ("ห้องประชุมชั้นสาม", THAI),
        ("arvete tähtaeg", ESTONIAN),
        ("annual report", ENGLISH),
        ("rahmenvertrag gekündigt", GERMAN),
        ("在高速公路上", CHINESE),
        ("東京都の倉庫に", JAPANESE),
        ("법무팀에서 계약서를", KOREAN),
    ],
)
async def test_phrases_are_found_exactly(pool: Pool, phrase: str, line: str) -> None:
    """A quoted phrase finds the messages that hold it, and no others."""
    lines = line.split("\n")
    await archived(pool, *(said(f"${number}", line, number) for number, line in enumerate(lines)))
    truth = {f"${number}" for number, line in enumerate(lines) if phrase in line.casefold()}
    assert set(await found(pool, f'"{phrase}"')) == truth != set()


async def test_inflections_are_found(pool: Pool) -> None:
    """Beyond the text itself, other forms of the word are found."""
    lines = [*ESTONIAN.split("\n"), *GERMAN.split("\n"), *ENGLISH.split("\n")]
    await archived(pool, *(said(f"${number}", line, number) for number, line in enumerate(lines)))
    for word, other in [("arvele", "Arved on"), ("koosolekud", "Homme on"), ("Häuser", ""), ("shipping", "Our supp")]:
        hits = [lines[int(number[1:])] for number in await found(pool, word)]
        assert not other or any(line.startswith(other) for line in hits), word
