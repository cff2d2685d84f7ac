#!/usr/bin/env python3
"""Writes unicode_table.inc beside this file: what characters are to Hugging Face's `tokenizers`.

    python3 -m venv /tmp/v && /tmp/v/bin/pip install tokenizers==0.23.3 unicodedata2==16.0.0
    /tmp/v/bin/python llm/text/tokenizer/make_unicode_table.py

General categories are those of Unicode 16.0 (unicodedata2); this script stops where the regular expressions of
`tokenizers` (Oniguruma) see another one. Everything else is asked of `tokenizers` itself, because its parts are compiled
with editions of Unicode between 8 and 17: see docs/decisions/0015-unicode-data.md.
"""
import pathlib

import unicodedata2 as unicode
from tokenizers import Regex, normalizers, pre_tokenizers

CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn").split()
SCRIPTS = """Common Inherited Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak
Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham
Cherokee Chorasmian Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan
Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi
Gurmukhi Gurung_Khema Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic
Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi
Khitan_Small_Script Khmer Khojki Khudawadi Kirat_Rai Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian
Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui
Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari
New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian
Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene
Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting
Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet
Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Todhri Toto Tulu_Tigalari Ugaritic Vai Vithkuqi
Wancho Warang_Citi Yezidi Yi Zanabazar_Square""".split()

SURROGATES = range(0xD800, 0xE000)
CHARACTERS = [code for code in range(0x110000) if code not in SURROGATES]
ASSIGNED = [code for code in CHARACTERS if unicode.category(chr(code)) not in ("Cn", "Co")]


def members(pattern, codes):
    """The codes that a regular expression for one character matches."""
    text = "".join(map(chr, codes))
    inside = bytearray(b"\1") * len(text)
    for _, (begin, end) in pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str(text):
        inside[begin:end] = bytes(end - begin)
    return {code for code, is_in in zip(codes, inside) if is_in}


def cut_out(pre_tokenizer, dropped):
    """The codes that a pre-tokenizer cuts off from an "a" before them and one after them, or drops."""
    found = set()
    for begin in range(0, len(CHARACTERS), 4096):
        chunk = CHARACTERS[begin:begin + 4096]
        text = "".join(f"a{chr(code)}a" for code in chunk)
        starts, covered = set(), bytearray(len(text))
        for _, (start, end) in pre_tokenizer.pre_tokenize_str(text):
            starts.add(start)
            covered[start:end] = b"\1" * (end - start)
        for index, code in enumerate(chunk):
            at = 3 * index + 1
            if (not covered[at]) if dropped else (at in starts and covered[at]):
                found.add(code)
    return found


def ranges(codes):
    out = []
    for code in sorted(codes):
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return out


def of_category(*names):
    return {code for code in CHARACTERS if unicode.category(chr(code)) in names}


def runs():
    """(first, category, script) wherever one of both changes."""
    script_of = {}
    for index, script in enumerate(SCRIPTS):
        for code in members(r"\p{%s}" % script, ASSIGNED):
            assert code not in script_of, (hex(code), script)
            script_of[code] = index
    missing = [code for code in ASSIGNED if code not in script_of]
    assert not missing, [hex(code) for code in missing[:5]]
    out = []
    for code in range(0x110000):
        category = CATEGORIES.index(unicode.category(chr(code)))
        run = (category, script_of.get(code, len(SCRIPTS)))
        if not out or out[-1][1:] != run:
            out.append((code, *run))
    return out


def lower_runs():
    """(first, last, step, what to add); and the characters whose small form is not one character."""
    lower = normalizers.Lowercase().normalize_str
    out, special = [], []
    for code in CHARACTERS:
        small = lower(chr(code))
        if small == chr(code):
            continue
        if len(small) != 1:
            special.append((code, small))
            continue
        add = ord(small) - code
        if out and out[-1][3] == add and code - out[-1][1] in (1, 2) and (
                out[-1][2] in (0, code - out[-1][1])):
            out[-1][2] = code - out[-1][1]
            out[-1][1] = code
        else:
            out.append([code, code, 0, add])
    assert special == [(0x130, "i\u0307")], special
    return [(first, last, step or 1, add) for first, last, step, add in out]


def unknown_to_forms():
    """Characters that NFC and its like change or move by Unicode 16, and `tokenizers` does not know yet."""
    decompose, canonical = normalizers.NFKD().normalize_str, normalizers.NFD().normalize_str
    unknown = set()
    for code in ASSIGNED:
        character = chr(code)
        full = unicode.normalize("NFKD", character)
        if decompose(character) != full:
            assert decompose(character) == character
            unknown.add(code)
            pair = unicode.decomposition(character).split()
            if not pair[0].startswith("<"):
                unknown.add(int(pair[0], 16))
        place = unicode.combining(character)
        if place == 0 or unicode.normalize("NFD", character) != character:
            continue
        before, after = (character, "\u0334") if place > 1 else ("\u0315", character)
        if canonical(before + after) != after + before:
            assert canonical(before + after) == before + after, hex(code)
            unknown.add(code)
    return unknown


def main():
    for name in CATEGORIES:
        if name not in ("Cs", "Cn"):
            assert members(r"\p{%s}" % name, CHARACTERS) == of_category(name), name
    decompose = normalizers.NFD().normalize_str
    bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    unaccent = normalizers.BertNormalizer(**{**bert, "strip_accents": True}).normalize_str
    clean = normalizers.BertNormalizer(**{**bert, "clean_text": True}).normalize_str
    accents = normalizers.StripAccents().normalize_str
    marks, nonspacing = of_category("Mn", "Mc", "Me"), of_category("Mn")
    letters = of_category("Lu", "Ll", "Lt", "Lm", "Lo", "Nl")
    punctuation = of_category("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po") | set(map(ord, "$+<=>^`|~"))
    control = of_category("Cc", "Cf", "Co") | {0xFFFD}
    simple = [code for code in CHARACTERS if decompose(chr(code)) == chr(code)]
    sets = {
        "OtherAlphabetic": members(r"\p{Alphabetic}", ASSIGNED) - letters,
        "OtherUppercase": members(r"\p{Uppercase}", ASSIGNED) - of_category("Lu"),
        "OtherLowercase": members(r"\p{Lowercase}", ASSIGNED) - of_category("Ll"),
        # What follows differs from the categories of Unicode 16.
        "NumericChanges": cut_out(pre_tokenizers.Digits(individual_digits=True), False)
        ^ of_category("Nd", "Nl", "No"),
        "PunctuationChanges": cut_out(pre_tokenizers.Punctuation(), False) ^ punctuation,
        "MarkChanges": {code for code in CHARACTERS if accents(chr(code)) == ""} ^ marks,
        "NonspacingChanges": {code for code in simple if unaccent(chr(code)) == ""} ^ (nonspacing & set(simple)),
        "ControlChanges": {code for code in CHARACTERS if clean(chr(code)) == ""}
        ^ (control - set(map(ord, "\t\n\r"))),
        "UnknownToForms": unknown_to_forms(),
    }
    lines = ["// Written by make_unicode_table.py. Unicode %s; what `tokenizers` sees otherwise stands in the sets." %
             unicode.unidata_version, ""]

    def table(kind, name, rows):
        text = [f"constexpr {kind} k{name}[] = {{"]
        line = "   "
        for row in rows:
            if len(line) + len(row) > 118:
                text.append(line)
                line = "   "
            line += " " + row + ","
        lines.extend([*text, line, "};", ""])

    table("Run", "Runs", ["{0x%x, %d, %d}" % run for run in runs()])
    table("std::string_view", "Scripts", ['"%s"' % script.replace("_", "").lower() for script in SCRIPTS])
    table("LowerRun", "LowerRuns", ["{0x%x, 0x%x, %d, %d}" % run for run in lower_runs()])
    for name, codes in sets.items():
        table("Range", name, ["{0x%x, 0x%x}" % tuple(pair) for pair in ranges(codes)])
    (pathlib.Path(__file__).parent / "unicode_table.inc").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
