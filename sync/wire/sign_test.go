package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// testSigner is a fixed key, so that a failure repeats.
func testSigner(kid string, role Role) Signer {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, kid+string(role))
	return Signer{Kid: kid, Role: role, Key: ed25519.NewKeyFromSeed(seed)}
}

func testRing(t testing.TB, s ...Signer) *Keyring {
	t.Helper()
	keys := make([]PublicKey, len(s))
	for i := range s {
		keys[i] = s[i].Public()
	}
	r, err := NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var testNow = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func testHeader() Header {
	return Header{
		Typ: TypeAck, Ver: 1, To: "lane-1", Topic: DownAck("lane-1", StreamCrossing), Epoch: 3, Seq: 9,
		Iat: testNow.UnixMilli(), Exp: testNow.Add(time.Minute).UnixMilli(),
	}
}

func testWant() Want {
	return Want{Typ: TypeAck, Topic: DownAck("lane-1", StreamCrossing), To: "lane-1", Role: RoleAck, Now: testNow}
}

func TestVerifyGivesWhatWasSigned(t *testing.T) {
	k := testSigner("ack-1", RoleAck)
	msg, err := Sign(k, testHeader(), []byte(`{"cum":9}`))
	if err != nil {
		t.Fatal(err)
	}
	h, payload, err := testRing(t, k).Verify(msg, testWant())
	if err != nil {
		t.Fatal(err)
	}
	want := testHeader()
	want.Alg, want.Kid = "EdDSA", "ack-1"
	if h != want || string(payload) != `{"cum":9}` {
		t.Fatalf("got %+v, %s", h, payload)
	}
}

func TestVerifyRefuses(t *testing.T) {
	ack, head := testSigner("ack-1", RoleAck), testSigner("head-1", RoleHead)
	stranger := testSigner("ack-1", RoleHead) // the same id, another key
	stranger.Role = RoleAck
	for name, tc := range map[string]struct {
		signer Signer
		header func(*Header)
		want   func(*Want)
		err    error
	}{
		"another role":        {head, func(*Header) {}, func(*Want) {}, ErrRole},
		"another key":         {stranger, func(*Header) {}, func(*Want) {}, ErrSignature},
		"unknown key":         {testSigner("ack-2", RoleAck), func(*Header) {}, func(*Want) {}, ErrKey},
		"another type":        {ack, func(h *Header) { h.Typ = TypeHead }, func(*Want) {}, ErrType},
		"newer version":       {ack, func(h *Header) { h.Ver = 2 }, func(*Want) {}, ErrVersion},
		"another topic":       {ack, func(h *Header) { h.Topic = DownAck("lane-1", StreamAlarm) }, func(*Want) {}, ErrTopic},
		"another gate":        {ack, func(h *Header) { h.To = "lane-2" }, func(*Want) {}, ErrAddress},
		"nobody":              {ack, func(h *Header) { h.To = "" }, func(*Want) {}, ErrAddress},
		"expired":             {ack, func(*Header) {}, func(w *Want) { w.Now = testNow.Add(2 * time.Minute) }, ErrExpired},
		"good":                {ack, func(*Header) {}, func(*Want) {}, nil},
		"for all":             {ack, func(h *Header) { h.To = ToAll }, func(*Want) {}, nil},
		"without end":         {ack, func(h *Header) { h.Exp = 0 }, func(w *Want) { w.Now = testNow.AddDate(9, 0, 0) }, nil},
		"clock not to trust":  {ack, func(h *Header) { h.Exp = 1 }, func(w *Want) { w.Now = time.Time{} }, nil},
		"newer is understood": {ack, func(h *Header) { h.Ver = 2 }, func(w *Want) { w.MaxVer = 2 }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h, w := testHeader(), testWant()
			tc.header(&h)
			tc.want(&w)
			msg, err := Sign(tc.signer, h, []byte(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := testRing(t, ack, head).Verify(msg, w); !errors.Is(err, tc.err) {
				t.Fatalf("got %v, want %v", err, tc.err)
			}
		})
	}
}

// rawMessage signs a header as written, which Sign would never write.
func rawMessage(k Signer, header string) []byte {
	enc := base64.RawURLEncoding
	in := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(`{}`))
	return []byte(in + "." + enc.EncodeToString(ed25519.Sign(k.Key, []byte(in))))
}

func TestVerifyRefusesMalformedHeaders(t *testing.T) {
	k := testSigner("ack-1", RoleAck)
	rest := `"kid":"ack-1","typ":"ack","ver":1,"to":"lane-1","top":"` + DownAck("lane-1", StreamCrossing) + `"`
	for name, tc := range map[string]struct {
		header string
		err    error
	}{
		"good":             {`{"alg":"EdDSA",` + rest + `}`, nil},
		"unknown field":    {`{"alg":"EdDSA","new":[1],` + rest + `}`, nil},
		"no algorithm":     {`{` + rest + `}`, ErrAlgorithm},
		"none":             {`{"alg":"none",` + rest + `}`, ErrAlgorithm},
		"HS256":            {`{"alg":"HS256",` + rest + `}`, ErrAlgorithm},
		"other case":       {`{"ALG":"EdDSA",` + rest + `}`, ErrAlgorithm},
		"algorithm twice":  {`{"alg":"EdDSA","alg":"EdDSA",` + rest + `}`, ErrHeader},
		"critical":         {`{"alg":"EdDSA","crit":["exp"],` + rest + `}`, ErrCritical},
		"number as string": {`{"alg":"EdDSA","exp":"1",` + rest + `}`, ErrHeader},
		"list":             {`["alg","EdDSA"]`, ErrHeader},
		"two values":       {`{"alg":"EdDSA",` + rest + `}{}`, ErrHeader},
		"cut":              {`{"alg":"EdDSA",` + rest, ErrHeader},
		"long":             {`{"alg":"EdDSA","x":"` + strings.Repeat("x", MaxHeader) + `",` + rest + `}`, ErrHeader},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := testRing(t, k).Verify(rawMessage(k, tc.header), testWant()); !errors.Is(err, tc.err) {
				t.Fatalf("got %v, want %v", err, tc.err)
			}
		})
	}
}

func TestVerifyRefusesOtherEncodings(t *testing.T) {
	k := testSigner("ack-1", RoleAck)
	msg, err := Sign(k, testHeader(), []byte(`{"cum":9}`))
	if err != nil {
		t.Fatal(err)
	}
	ring := testRing(t, k)
	parts := bytes.Split(msg, []byte("."))
	for name, bad := range map[string][]byte{
		"empty":         nil,
		"two parts":     bytes.Join(parts[:2], []byte(".")),
		"four parts":    append(bytes.Clone(msg), '.'),
		"padding":       append(bytes.Clone(msg), '='),
		"line break":    bytes.Replace(msg, []byte("."), []byte("\n."), 1),
		"short":         msg[:len(msg)-1],
		"flipped":       flip(msg, len(parts[0])+3),
		"too large":     append(bytes.Clone(msg), make([]byte, MaxMessage)...),
		"standard b64":  append(bytes.Clone(msg[:len(msg)-1]), '+'),
		"trailing bits": append(bytes.Clone(msg[:len(msg)-1]), nextLetter(msg[len(msg)-1])),
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := ring.Verify(bad, testWant()); err == nil {
				t.Fatal("accepted")
			}
		})
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// nextLetter changes only the bits that the last letter of 64 bytes leaves
// unused.
func nextLetter(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)|1]
}

func TestExpiredKeyIsNone(t *testing.T) {
	k := testSigner("ack-1", RoleAck)
	pub := k.Public()
	pub.NotAfter = testNow.Add(-time.Second)
	ring, err := NewKeyring(pub)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := Sign(k, testHeader(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ring.Verify(msg, testWant()); !errors.Is(err, ErrKey) {
		t.Fatalf("got %v", err)
	}
}

func testBundle(t testing.TB) (Bundle, []byte) {
	t.Helper()
	root, head := testSigner("root-1", RoleRoot), testSigner("head-1", RoleHead)
	seal, err := ParseSealPrivateKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	b := Bundle{
		Ver: 1, Root: root.Public().Key, Seal: seal.PublicKey().Bytes(),
		Keys: []BundleKey{{Kid: head.Kid, Role: RoleHead, Pub: head.Public().Key}},
	}
	file, err := SignBundle(root, b)
	if err != nil {
		t.Fatal(err)
	}
	return b, file
}

func TestBundleNeedsThePinnedRoot(t *testing.T) {
	b, file := testBundle(t)
	print := Fingerprint(b.Root)
	for _, form := range []string{print, strings.ToUpper(strings.ReplaceAll(print, " ", "")), strings.ReplaceAll(print, " ", ":")} {
		if _, err := ParseBundle(file, form); err != nil {
			t.Fatalf("fingerprint %q: %v", form, err)
		}
	}
	for name, form := range map[string]string{
		"empty": "", "short": print[:20], "another": Fingerprint([]byte("another root")),
	} {
		if _, err := ParseBundle(file, form); !errors.Is(err, ErrFingerprint) {
			t.Errorf("%s fingerprint: %v", name, err)
		}
	}
}

func TestBundleRefusesForeignSigner(t *testing.T) {
	b, _ := testBundle(t)
	other := testSigner("root-2", RoleRoot)
	if _, err := SignBundle(other, b); !errors.Is(err, ErrRole) {
		t.Fatalf("signed with another root: %v", err)
	}
	payload, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := Sign(other, Header{Typ: TypeBundle, Ver: 1, To: ToAll}, payload)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(bundleFile{bundleFormat, string(msg)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseBundle(file, Fingerprint(b.Root)); !errors.Is(err, ErrSignature) {
		t.Fatalf("bundle of another signer: %v", err)
	}
}

func TestBundleHoldsNoGateKey(t *testing.T) {
	b, _ := testBundle(t)
	b.Keys[0].Role = RoleGate
	if _, err := b.Keyring(); err == nil {
		t.Fatal("a bundle vouched for a gate's key")
	}
}
