package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestC40(t *testing.T) {
	for _, c := range []struct{ text, hex string }{
		{"", ""},
		{"XK CD", "eb0466a9"}, // ICAO Doc 9303-13 §2.6
		{"XKCD", "eb11fe45"},
		{"D<<", "6abc"},
		{"A", "fe42"},
		{"AB", hexOf(t, "AB")},
	} {
		b, err := EncodeC40(c.text)
		if err != nil || hex.EncodeToString(b) != c.hex {
			t.Errorf("encode %q: %x %v, want %s", c.text, b, err, c.hex)
		}
		text, err := DecodeC40(b)
		if want := strings.ReplaceAll(c.text, "<", " "); err != nil || text != want {
			t.Errorf("decode %x: %q %v, want %q", b, text, err, want)
		}
	}
	for _, bad := range []string{"a", "Ñ", "A-B", "\x00"} {
		if _, err := EncodeC40(bad); !errors.Is(err, ErrC40) {
			t.Errorf("encode %q: %v", bad, err)
		}
	}
}

// hexOf checks a two-letter text by the formula of the standard.
func hexOf(t *testing.T, text string) string {
	t.Helper()
	n := 1600*(int(text[0])-'A'+14) + 40*(int(text[1])-'A'+14) + 0 + 1
	return hex.EncodeToString([]byte{byte(n >> 8), byte(n)})
}

func TestDecodeC40Strict(t *testing.T) {
	for name, in := range map[string]string{
		"odd length":              "eb",
		"zero":                    "0000",
		"above all values":        "fa01",
		"shift 2":                 n40(1, 14, 14),
		"shift 3":                 n40(14, 2, 14),
		"pad inside":              n40(14, 14, 0) + n40(14, 14, 14),
		"two pads":                n40(14, 0, 0),
		"plain not last":          "fe42" + n40(14, 14, 14),
		"plain lower case":        "fe62",
		"plain zero":              "fe00",
		"plain filler, not space": "fe3d",
		"ff":                      "ffff",
	} {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := DecodeC40(b); !errors.Is(err, ErrC40) {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
}

func n40(a, b, c int) string {
	n := 1600*a + 40*b + c + 1
	return hex.EncodeToString([]byte{byte(n >> 8), byte(n)})
}

func TestDate(t *testing.T) {
	b, err := EncodeDate(day(1957, 3, 25))
	if err != nil || hex.EncodeToString(b) != "319ef5" { // ICAO Doc 9303-13 §2.3.1
		t.Errorf("encoded %x %v", b, err)
	}
	if d, err := DecodeDate(b); err != nil || !d.Equal(day(1957, 3, 25)) {
		t.Errorf("decoded %v %v", d, err)
	}
	for name, n := range map[string]int{
		"month 0": 12026, "month 13": 13012026, "day 0": 1002026, "30 February": 2302026,
		"29 February of a common year": 2292026, "year 0": 1010000, "zero": 0, "too large": 0xFFFFFF,
	} {
		if d, err := DecodeDate([]byte{byte(n >> 16), byte(n >> 8), byte(n)}); !errors.Is(err, ErrDate) {
			t.Errorf("%s: %v %v", name, d, err)
		}
	}
	if _, err := DecodeDate(nil); !errors.Is(err, ErrDate) {
		t.Errorf("no bytes: %v", err)
	}
	if _, err := EncodeDate(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)); !errors.Is(err, ErrDate) {
		t.Errorf("year 10000: %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	a := authority(t)
	s, err := Parse(made(t, a))
	if err != nil {
		t.Fatal(err)
	}
	if s.Header != header(t, a) {
		t.Errorf("header %+v, want %+v", s.Header, header(t, a))
	}
	if s.Signer != "UTGT" || s.CertRef != "1A" || s.Format != FormatVDS || len(s.Signature) != 64 {
		t.Errorf("read %+v", s.Header)
	}
	for i, f := range features() {
		if s.Features[i].Tag != f.Tag || !bytes.Equal(s.Features[i].Value, f.Value) {
			t.Errorf("feature %d differs", f.Tag)
		}
	}
	if _, ok := s.Feature(77); ok {
		t.Error("found a feature that is not there")
	}
}

// TestParseStrict breaks a well-formed seal in one way each.
func TestParseStrict(t *testing.T) {
	a := authority(t)
	h := header(t, a)
	valid, err := Sign(h, []Feature{{1, []byte("abc")}}, a.SignerKey)
	if err != nil {
		t.Fatal(err)
	}
	const zone = 18 // the header's length here
	put := func(at int, b ...byte) []byte {
		c := slices.Clone(valid)
		copy(c[at:], b)
		return c
	}
	splice := func(at, drop int, b ...byte) []byte {
		return slices.Concat(valid[:at], b, valid[at+drop:])
	}
	for name, raw := range map[string][]byte{
		"empty":                    nil,
		"magic":                    put(0, 0xDD),
		"version 2":                put(1, 1),
		"version 5":                put(1, 4),
		"country pad":              put(2, 0, 0),
		"country digits":           splice(2, 2, c40(t, "123")...),
		"country blank":            splice(2, 2, c40(t, "   ")...),
		"country hole":             splice(2, 2, c40(t, "U T")...),
		"signer":                   splice(4, 4, c40(t, "1TGT02")...),
		"reference length no hex":  splice(4, 4, c40(t, "UTGT0G")...),
		"reference length zero":    splice(4, 4, c40(t, "UTGT00")...),
		"reference length large":   splice(4, 4, c40(t, "UTGTFF")...),
		"reference length decimal": splice(4, 4, c40(t, "UTGT10")...),
		"reference no hex":         splice(8, 2, c40(t, "1G")...),
		"reference too short":      splice(8, 2, c40(t, "1")...),
		"issue date":               put(10, 0, 0, 0),
		"signature date":           put(13, 0xFF, 0xFF, 0xFF),
		"feature reference 0":      put(16, 0),
		"feature reference 255":    put(16, 0xFF),
		"indefinite length":        put(zone+1, 0x80),
		"length not shortest":      splice(zone+1, 1, 0x81, 3),
		"length with zero":         splice(zone+1, 1, 0x82, 0, 0x83),
		"length of three bytes":    splice(zone+1, 1, 0x83, 0, 0, 3),
		"length past the end":      put(zone+1, 0x7F),
		"duplicate tag":            splice(zone, 0, 1, 0),
		"no signature":             valid[:zone+5],
		"no zone":                  valid[:zone],
		"signature empty":          append(valid[:zone+5:zone+5], 0xFF, 0),
		"signature short":          append(valid[:zone+5:zone+5], append([]byte{0xFF, 63}, make([]byte, 63)...)...),
		"signature twice":          slices.Concat(valid, valid[zone+5:]),
		"byte after the signature": append(slices.Clone(valid), 0),
		"too long":                 append(slices.Clone(valid), make([]byte, MaxSize)...),
	} {
		if _, err := Parse(raw); !errors.Is(err, ErrFormat) || CodeOf(err) != WrongFormat {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range valid {
		if _, err := Parse(valid[:n]); !errors.Is(err, ErrFormat) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if _, err := Parse(valid); err != nil {
		t.Errorf("the unbroken seal: %v", err)
	}
}

func c40(t *testing.T, text string) []byte {
	t.Helper()
	b, err := EncodeC40(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestParseKeepsNothing: the seal must not change when its input is reused.
func TestParseKeepsNothing(t *testing.T) {
	raw := made(t, authority(t))
	s, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(slices.Clone(raw))
	if err != nil {
		t.Fatal(err)
	}
	clear(raw)
	if !reflect.DeepEqual(s, again) {
		t.Error("the seal refers to its input")
	}
}

// TestParseShared reads the real seals of versions 3 and 4.
func TestParseShared(t *testing.T) {
	for _, v := range sharedVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			s, err := Parse(v.raw(t))
			switch {
			case v.Parse == string(WrongFormat), v.Name == "derived/trailing_bytes":
				if CodeOf(err) != WrongFormat {
					t.Errorf("accepted, want WRONG_FORMAT: %v", err)
				}
				return
			case v.Verify == "unsigned":
				if !errors.Is(err, ErrFormat) {
					t.Errorf("an unsigned seal: %v", err)
				}
				return
			case err != nil:
				t.Fatal(err)
			}
			if got := hex.EncodeToString(s.Signature); v.Sig != "" && got != v.Sig {
				t.Errorf("signature %s, want %s", got, v.Sig)
			}
			if len(s.Features) != len(v.Features) {
				t.Fatalf("%d features, want %d", len(s.Features), len(v.Features))
			}
			for i, f := range v.Features {
				tag, err := strconv.ParseUint(f.Tag, 0, 8)
				if err != nil || s.Features[i].Tag != byte(tag) || hex.EncodeToString(s.Features[i].Value) != f.Hex {
					t.Errorf("feature %d is %d %x, want %s %s", i, s.Features[i].Tag, s.Features[i].Value, f.Tag, f.Hex)
				}
			}
		})
	}
}

// FuzzParse holds that what is accepted is a whole seal: its parts, written
// again, are the bytes that were read.
func FuzzParse(f *testing.F) {
	a := authority(f)
	f.Add(made(f, a))
	short, err := Sign(header(f, a), nil, a.SignerKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(short)
	for _, real := range realSeals() {
		b, err := hex.DecodeString(real)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0xDC, 0x02})
	f.Add([]byte("RDB1"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Parse(raw)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if s.Format == FormatIDB {
			return // FuzzIDB
		}
		if !bytes.HasPrefix(raw, s.signed) || !bytes.HasSuffix(raw, s.Signature) {
			t.Error("what is signed and the signature are not the ends of the seal")
		}
		if s.Version != 4 {
			return // is read only
		}
		again, err := encode(s.Header, s.Features)
		if err != nil {
			t.Fatalf("what was read cannot be made: %v", err)
		}
		if again = appendValue(again, signatureTag, s.Signature); !bytes.Equal(again, raw) {
			t.Errorf("read %x, made %x", raw, again)
		}
	})
}

// realSeals are published specimens (BSI TR-03137-1; tsenger/vdstools,
// Apache-2.0) as fuzzing seeds.
func realSeals() []string {
	return []string{
		// version 3, BSI TR-03137-1 annex C
		"dc026abc6d32c8a519fc0f71341145f4fd020230a5621353d9a275735bd4134bc549133c133c133c133c133ca32519a519a4344a5e681ae7204b20d532cf4b7c133c133f030820d5201019a51aeaff404a1f218ca4392647ecff6c8abf9e796a78eebe0b1ac8cc25c4ee17eed961d1189091358d7d616f1a517abc747f6c4490ff159d4dcf50248b00b1e32e9e7805e7",
		// version 4 on brainpoolP224r1, annex F
		"dc036abc6d32c8a72cb10f7134b798155d01022cdd52134a74da1347c6fed95cb89f9fce133c133c133c133c203833734aaf47f0c32f1a1e20eb2625393afe310403a00000050633be1fed20c6ff38d5573247608c9b64cae022c1c5249660e51ae316d600f974aac2129c3f093c35955314026304705cd24c1b8100711bd4411f068e8d93e8b7",
		// unsigned, with a decimal reference length
		"dc036abc6d38dc0519a620372ce13372401c46ad535759e866926d2379bd19ce2678fe348d7ad88d7ad801c90010aabbccdd11223344aabbccdd1122334403146578616d706c652e636f6d2f70726f66696c657304116578616d706c652e636f6d2f636572747305126578616d706c652e636f6d2f73746174757306030679320a0a4d75737465726d616e6e",
		// with an indefinite length
		"dc03d9c56d296ae819a65fdb275fdb275f0302308a1bd2b074e013565cea57fc133c133c133c133c133c133c9e2e4cee19d93771598f1a9539e4269e269e4b7c133c133f0380647e8c65467c675da84c9768447b6c9d5543725981697f8f4825585d734b7894497c6e907e45937e4866799fa0718d56a02b7a996f7f814e89884b948a60795fa99f604c9843668f4f47296be2a75f7e577a75a66d755986b8746bb96f866f8952706b7062736f8f4b9154715c6760799a3583a788998490765b567972656a7eff4031cf9bc3732e0e14e17b353149f39c6b1d705c320da80aa3185ba67ee77acdce73554aece7a1af811c785d54cee6cd251293b6a9b91ae02e76d427873073193f",
	}
}

// FuzzC40 holds that each text has one encoding.
func FuzzC40(f *testing.F) {
	for _, text := range []string{"", "A", "AB", "ABC", "ABCD", "U T 9"} {
		b, err := EncodeC40(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	// Header and fields of the real seals.
	for _, real := range []string{"6abc", "6d32c8a519fc", "d9c5d9cac8a7", "a5621353d9a275735bd4134bc549133c133c133c133c133c"} {
		b, err := hex.DecodeString(real)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := DecodeC40(b)
		if err != nil {
			return
		}
		if again, err := EncodeC40(text); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is %q, which is %x %v", b, text, again, err)
		}
	})
}
