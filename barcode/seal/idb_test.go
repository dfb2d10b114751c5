package seal

import (
	"bytes"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// textVector is one IDB of the shared set.
type textVector struct {
	Name     string
	Text     string `json:"barcode_text"`
	Verify   string `json:"expected_verify"`
	Sig      string `json:"signature_hex"`
	Messages []struct{ Tag, Hex string }
}

func sharedTexts(t testing.TB) []textVector {
	t.Helper()
	var all struct{ IDB []textVector }
	if err := json.Unmarshal(sharedData(t, "seals/vectors.json"), &all); err != nil {
		t.Fatal(err)
	}
	return all.IDB
}

func TestSharedTexts(t *testing.T) {
	trust := trustOf(t, TrustOptions{Pin: true}, map[string][]byte{"UTTS5B.der": sharedData(t, "seals/certs/UTTS5B.der")})
	at := day(2026, 11, 22)
	for _, v := range sharedTexts(t) {
		s := parsed(t, []byte(v.Text))
		if got := trust.Verify(s, at); got.Valid() != (v.Verify == "valid") {
			t.Errorf("%s: %s %v", v.Name, got.Code, got.Err)
		}
		if got := hex.EncodeToString(s.Signature); got != v.Sig {
			t.Errorf("%s: signature %s", v.Name, got)
		}
		s.signed[len(s.signed)-1] ^= 1
		if got := trust.Verify(s, at); got.Code != InvalidSignature {
			t.Errorf("%s changed: %s %v", v.Name, got.Code, got.Err)
		}
	}
}

// text makes an IDB of the usual content.
func text(t testing.TB, a *Authority, o TextOptions) string {
	t.Helper()
	made, err := SignText(header(t, a), features(), a.SignerKey, a.Signer, o)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestTextRoundTrip makes each kind of IDB: it says what a VDS with the same
// content says, and is believed alike.
func TestTextRoundTrip(t *testing.T) {
	a := authority(t)
	trust := NewTrust([]*x509.Certificate{a.CA, a.Signer}, TrustOptions{})
	for flag, o := range map[string]TextOptions{
		"RDB1B": {}, "RDB1D": {Zip: true}, "RDB1B ": {ShortDate: true}, "RDB1B  ": {Embed: true},
		"RDB1D ": {Zip: true, ShortDate: true, Embed: true},
	} {
		made := text(t, a, o)
		if !strings.HasPrefix(made, strings.TrimSpace(flag)) {
			t.Errorf("%+v begins with %s", o, made[:5])
		}
		for _, end := range []string{"", "\r\n", "\n"} {
			s := parsed(t, []byte(made+end))
			h := header(t, a)
			if s.Format != FormatIDB || s.Country != h.Country || !s.Signed.Equal(h.Signed) ||
				s.FeatureRef != h.FeatureRef || s.Category != h.Category || s.Version != 4 {
				t.Errorf("%+v: header %+v", o, s.Header)
			}
			if !slices.EqualFunc(s.Features, features(), func(f, g Feature) bool {
				return f.Tag == g.Tag && bytes.Equal(f.Value, g.Value)
			}) || len(s.Messages) != 2 {
				t.Errorf("%+v: features %v", o, s.Features)
			}
			if got := trust.Verify(s, now); !got.Valid() {
				t.Errorf("%+v: %s %v", o, got.Code, got.Err)
			}
			if algorithm, embedded := s.SignedWith(); algorithm != "ecdsa-sha256" || embedded != o.Embed {
				t.Errorf("%+v: %s, embedded %v", o, algorithm, embedded)
			}
		}
		old := "NDB1" + made[4:]
		if got := trust.Verify(parsed(t, []byte(old)), now); !got.Valid() {
			t.Errorf("the old magic: %s %v", got.Code, got.Err)
		}
	}
}

// TestTextVerify changes one thing of a valid case each.
func TestTextVerify(t *testing.T) {
	a, other := authority(t), authority(t)
	valid, err := SignText(header(t, a), features(), a.SignerKey, a.Signer, TextOptions{Embed: true})
	if err != nil {
		t.Fatal(err)
	}
	plain := text(t, a, TextOptions{})
	forged, err := SignText(header(t, a), features(), other.SignerKey, a.Signer, TextOptions{})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := SignText(header(t, a), features(), other.SignerKey, other.Signer, TextOptions{Embed: true})
	if err != nil {
		t.Fatal(err)
	}
	future := header(t, a)
	future.Signed = day(2026, 9, 7)
	early, err := SignText(future, features(), a.SignerKey, a.Signer, TextOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ca, both := []*x509.Certificate{a.CA}, []*x509.Certificate{a.CA, a.Signer}
	for name, c := range map[string]struct {
		text  string
		certs []*x509.Certificate
		pin   bool
		code  Code
		err   error
	}{
		"valid":                           {plain, both, false, Valid, nil},
		"pinned":                          {plain, both[1:], true, Valid, nil},
		"unknown":                         {plain, ca, false, UnknownCertificate, ErrUnknownSigner},
		"embedded, authority here":        {valid, ca, false, Valid, nil},
		"embedded, nothing here":          {valid, nil, false, UntrustedCertificate, ErrEmbedded},
		"embedded, pinning":               {valid, ca, true, UntrustedCertificate, ErrEmbedded},
		"embedded by another authority":   {foreign, both, false, UntrustedCertificate, ErrEmbedded},
		"its authority of the same name":  {foreign, []*x509.Certificate{other.CA}, false, Valid, nil},
		"signed by another":               {forged, both, false, InvalidSignature, ErrSignature},
		"signed in the future":            {early, both, false, InvalidSignature, ErrSignedInFuture},
		"without an authority":            {plain, both[1:], false, UntrustedCertificate, ErrChain},
		"unsigned":                        {unsigned(t, a), both, false, InvalidSignature, ErrUnsigned},
		"other certificate than referred": {swapCertificate(t, valid, other.Signer), ca, false, UnknownCertificate, ErrUnknownSigner},
		"authority's own certificate":     {swapCertificate(t, valid, a.CA), ca, false, UnknownCertificate, ErrUnknownSigner},
	} {
		got := NewTrust(c.certs, TrustOptions{Pin: c.pin}).Verify(parsed(t, []byte(c.text)), now)
		if got.Code != c.code || !errors.Is(got.Err, c.err) {
			t.Errorf("%s: %s %v, want %s %v", name, got.Code, got.Err, c.code, c.err)
		}
	}
}

// payloadOf undoes the text.
func payloadOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := idbText().DecodeString(text[5:])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func textFrom(flag byte, payload []byte) string {
	return "RDB1" + string(flag) + idbText().EncodeToString(payload)
}

func unsigned(t testing.TB, a *Authority) string {
	t.Helper()
	s := parsed(t, []byte(text(t, a, TextOptions{})))
	country, err := EncodeC40("UTO")
	if err != nil {
		t.Fatal(err)
	}
	return textFrom('A', append(country, s.signed[2+1+idbReference+4:]...))
}

func swapCertificate(t testing.TB, text string, c *x509.Certificate) string {
	t.Helper()
	s := parsed(t, []byte(text))
	payload := appendValue(slices.Clone(s.signed), idbCertificate, c.Raw)
	return textFrom('B', appendValue(payload, idbSignature, s.Signature))
}

func zipped(t testing.TB, payload []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if _, err := z.Write(payload); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestTextStrict breaks a well-formed IDB in one way each.
func TestTextStrict(t *testing.T) {
	a := authority(t)
	valid := text(t, a, TextOptions{})
	p := payloadOf(t, valid)
	const zone = 2 + 1 + idbReference + 4 // where the messages begin
	put := func(at int, b ...byte) string {
		c := slices.Clone(p)
		copy(c[at:], b)
		return textFrom('B', c)
	}
	signature := p[len(p)-66:]
	for name, bad := range map[string]string{
		"magic only":          "RDB1",
		"flag only":           "RDB1B",
		"flag E":              "RDB1E" + valid[5:],
		"flag lower case":     "RDB1b" + valid[5:],
		"unsigned by flag":    "RDB1A" + valid[5:],
		"zipped by flag":      "RDB1D" + valid[5:],
		"lower case":          "RDB1B" + strings.ToLower(valid[5:]),
		"padding":             valid + "=",
		"line break inside":   valid[:40] + "\n" + valid[40:],
		"space after":         valid + " ",
		"one character more":  valid + "A",
		"alphabet":            valid[:20] + "1" + valid[21:],
		"country":             put(0, 0, 0),
		"algorithm 0":         put(2, 0),
		"algorithm 4":         put(2, 4),
		"date mask":           put(8, 1),
		"date":                put(9, 0xFF, 0xFF, 0xFF),
		"message tag":         put(zone, 0x62),
		"indefinite length":   put(zone+1, 0x80),
		"duplicate message":   textFrom('B', slices.Concat(p[:zone], []byte{idbMessages, 4, 1, 0, 1, 0}, signature)),
		"length not shortest": textFrom('B', slices.Concat(p[:zone], []byte{idbMessages, 0x81, 2, 1, 0}, signature)),
		"message past zone":   textFrom('B', slices.Concat(p[:zone], []byte{idbMessages, 2, 1, 9}, signature)),
		"no signature":        textFrom('B', p[:len(p)-66]),
		"signature short":     textFrom('B', append(slices.Clone(p[:len(p)-66]), 0x7F, 2, 1, 1)),
		"bytes after":         textFrom('B', append(slices.Clone(p), 0)),
		"signature twice":     textFrom('B', slices.Concat(p, signature)),
		"certificate twice": textFrom('B', slices.Concat(
			p[:len(p)-66], []byte{idbCertificate, 1, 0, idbCertificate, 1, 0}, signature)),
		"zip truncated":  textFrom('D', zipped(t, p)[:40]),
		"zip with more":  textFrom('D', append(zipped(t, p), 0)),
		"zip check sum":  textFrom('D', append(zipped(t, p)[:len(zipped(t, p))-1], 0x55)),
		"zip of nothing": textFrom('D', zipped(t, nil)),
		"zip bomb":       textFrom('D', zipped(t, make([]byte, 2<<20))),
		"too long":       valid + strings.Repeat("A", MaxText),
	} {
		if _, err := Parse([]byte(bad)); !errors.Is(err, ErrFormat) || CodeOf(err) != WrongFormat {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range len(p) {
		if _, err := Parse([]byte(textFrom('B', p[:n]))); !errors.Is(err, ErrFormat) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if _, err := Parse([]byte(valid)); err != nil {
		t.Errorf("the unbroken text: %v", err)
	}
}

// TestBombIsBounded holds that unzipping stops at the limit: what is handed
// out is never longer, however much stands in the symbol.
func TestBombIsBounded(t *testing.T) {
	bomb := zipped(t, make([]byte, 1<<20))
	if len(bomb) > 2000 {
		t.Fatalf("the bomb has %d bytes, too many for a symbol", len(bomb))
	}
	var before, after runtime.MemStats
	const times = 50
	runtime.ReadMemStats(&before)
	for range times {
		if _, err := inflate(bomb); !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / times; each > 16*MaxInflated {
		t.Errorf("%d bytes for one bomb", each)
	}
	if b, err := inflate(zipped(t, make([]byte, MaxInflated))); err != nil || len(b) != MaxInflated {
		t.Errorf("at the limit: %d bytes, %v", len(b), err)
	}
}

// TestOneReading proves what parsePayload relies on: no date begins with the
// zero of a mask.
func TestOneReading(t *testing.T) {
	for d := day(1, 1, 1); d.Year() < 5; d = d.Add(24 * time.Hour) {
		b, err := EncodeDate(d)
		if err != nil || b[0] == 0 {
			t.Fatalf("%s is %x %v", d, b, err)
		}
	}
}

// TestOtherMessages: an IDB that is no document of the profile shows its
// messages, and one beside a document is not overlooked.
func TestOtherMessages(t *testing.T) {
	a := authority(t)
	document := Feature{messageDocument, []byte{1, 7, 1, 9}}
	category := Feature{messageCategory, []byte{0x42}}
	for name, c := range map[string]struct {
		messages []Feature
		lifted   bool
	}{
		"document":                {[]Feature{category, document}, true},
		"document first":          {[]Feature{document, category}, true},
		"no category":             {[]Feature{document}, false},
		"no content":              {[]Feature{category}, false},
		"another message":         {[]Feature{category, document, {0x80, []byte("image")}}, false},
		"category of two bytes":   {[]Feature{{messageCategory, []byte{1, 2}}, document}, false},
		"empty content":           {[]Feature{category, {messageDocument, nil}}, false},
		"reference zero":          {[]Feature{category, {messageDocument, []byte{0}}}, false},
		"content of other kind":   {[]Feature{category, {messageDocument, []byte{1, 7, 9}}}, false},
		"signature in content":    {[]Feature{category, {messageDocument, []byte{1, 0xFF, 0}}}, false},
		"duplicate in content":    {[]Feature{category, {messageDocument, []byte{1, 7, 0, 7, 0}}}, false},
		"nothing":                 {nil, false},
		"machine readable zone":   {[]Feature{{0x08, []byte("PPD")}}, false},
		"document with no fields": {[]Feature{category, {messageDocument, []byte{1}}}, true},
	} {
		made, err := signMessages(header(t, a), c.messages, a.SignerKey, a.Signer, TextOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s := parsed(t, []byte(made))
		if lifted := s.FeatureRef == 1 && s.Category == 0x42 && s.Version == 4; lifted != c.lifted || len(s.Messages) != len(c.messages) {
			t.Errorf("%s: lifted %v, %d messages", name, lifted, len(s.Messages))
		}
		if !c.lifted && len(s.Features) != len(c.messages) {
			t.Errorf("%s: %d features", name, len(s.Features))
		}
	}
}

// TestTextCurves signs with each curve and the hash that its flag names.
func TestTextCurves(t *testing.T) {
	a := authority(t)
	for curve, want := range map[elliptic.Curve]string{
		elliptic.P256(): "ecdsa-sha256", elliptic.P384(): "ecdsa-sha384", elliptic.P521(): "ecdsa-sha512",
	} {
		key := newKey(t, curve)
		cert, err := certify(a.Signer, a.CA, &key.PublicKey, a.CAKey)
		if err != nil {
			t.Fatal(err)
		}
		made, err := SignText(header(t, a), nil, key, cert, TextOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s := parsed(t, []byte(made))
		got := NewTrust([]*x509.Certificate{a.CA, cert}, TrustOptions{}).Verify(s, now)
		if algorithm, _ := s.SignedWith(); !got.Valid() || algorithm != want {
			t.Errorf("%s: %s %v %s", curve.Params().Name, got.Code, got.Err, algorithm)
		}
	}
}

func TestSignTextRefuses(t *testing.T) {
	a := authority(t)
	type order struct {
		h Header
		f []Feature
		k *ecdsa.PrivateKey
		c *x509.Certificate
	}
	for name, change := range map[string]func(*order){
		"no key":         func(o *order) { o.k = nil },
		"no certificate": func(o *order) { o.c = nil },
		"weak key":       func(o *order) { o.k = newKey(t, elliptic.P224()) },
		"country":        func(o *order) { o.h.Country = "UTOP" },
		"no country":     func(o *order) { o.h.Country = "" },
		"date":           func(o *order) { o.h.Signed = day(10000, 1, 1) },
		"kind":           func(o *order) { o.h.FeatureRef = 0 },
		"category":       func(o *order) { o.h.Category = 0 },
		"tag":            func(o *order) { o.f = []Feature{{0xFF, nil}} },
		"value too long": func(o *order) { o.f = []Feature{{1, make([]byte, MaxSize+1)}} },
		"too long":       func(o *order) { o.f = []Feature{{1, make([]byte, MaxSize)}} },
	} {
		o := order{header(t, a), features(), a.SignerKey, a.Signer}
		change(&o)
		if made, err := SignText(o.h, o.f, o.k, o.c, TextOptions{}); err == nil {
			t.Errorf("%s: made %d characters", name, len(made))
		}
	}
}
