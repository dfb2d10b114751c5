package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

func goodTrust() (Change, map[Hash][]byte) {
	t, parts := NewTrust([][]byte{[]byte("root")}, [][]byte{bytes.Repeat([]byte("list"), MaxTrustPart/3)})
	t.Issued, t.Lists = 1, ListsRequired
	return Change{Op: OpTrust, Ver: 1, Trust: &t}, parts
}

func TestTrustIsChecked(t *testing.T) {
	part := func(c *Change) { c.Op, c.Trust, c.Part = OpTrustPart, nil, []byte("x") }
	for name, tc := range map[string]struct {
		change func(*Change)
		err    error
	}{
		"store":                {func(*Change) {}, nil},
		"part":                 {part, nil},
		"version 0":            {func(c *Change) { c.Ver = 0 }, ErrChange},
		"with an account":      {func(c *Change) { c.Account = "a" }, ErrChange},
		"with a pass":          {func(c *Change) { c.Pass = "P" }, ErrChange},
		"with a status":        {func(c *Change) { c.Status = StatusActive }, ErrChange},
		"with a decision":      {func(c *Change) { c.Decision = goodStatus().Decision }, ErrChange},
		"store with a part":    {func(c *Change) { c.Part = []byte("x") }, ErrChange},
		"part with a store":    {func(c *Change) { c.Op, c.Part = OpTrustPart, []byte("x") }, ErrChange},
		"store of nothing":     {func(c *Change) { c.Trust = nil }, ErrChange},
		"part of nothing":      {func(c *Change) { part(c); c.Part = nil }, ErrChange},
		"large part":           {func(c *Change) { part(c); c.Part = make([]byte, MaxTrustPart+1) }, ErrChange},
		"no certificate":       {func(c *Change) { c.Trust.Certificates = nil }, ErrChange},
		"many entries":         {func(c *Change) { c.Trust.Revocations = make([]TrustEntry, MaxTrustEntries+1) }, ErrChange},
		"no time":              {func(c *Change) { c.Trust.Issued = 0 }, ErrChange},
		"lists":                {func(c *Change) { c.Trust.Lists = "sometimes" }, ErrChange},
		"list age":             {func(c *Change) { c.Trust.ListAge = MaxListAge + 1 }, ErrChange},
		"list age below":       {func(c *Change) { c.Trust.ListAge = -1 }, ErrChange},
		"entry of no bytes":    {func(c *Change) { c.Trust.Certificates[0].Size = 0 }, ErrChange},
		"entry of other bytes": {func(c *Change) { c.Trust.Revocations[0].Size = 1 }, ErrChange},
		"large entry": {func(c *Change) {
			c.Trust.Certificates[0] = TrustEntry{MaxTrustEntry + 1, make([]Hash, MaxTrustEntry/MaxTrustPart+1)}
		}, ErrChange},
		"large store": {func(c *Change) {
			e := TrustEntry{MaxTrustEntry, make([]Hash, MaxTrustEntry/MaxTrustPart)}
			c.Trust.Certificates = []TrustEntry{e, e, e}
		}, ErrChange},
	} {
		c, _ := goodTrust()
		tc.change(&c)
		if err := c.Check(); !errors.Is(err, tc.err) {
			t.Errorf("%s: got %v, want %v", name, err, tc.err)
		}
	}
	for name, c := range map[string]Change{"account": goodPut(), "pass": goodRevocation()} {
		c.Part = []byte("x")
		if err := c.Check(); !errors.Is(err, ErrChange) {
			t.Errorf("a part in a change of an %s: %v", name, err)
		}
	}
	if c, _ := goodTrust(); c.Restricts() || c.OfPass() || !c.OfTrust() {
		t.Error("a trust store is taken for something else")
	}
}

func TestTrustJoinsFromItsParts(t *testing.T) {
	c, parts := goodTrust()
	if len(parts) != 3 {
		t.Fatalf("%d parts, want one and two", len(parts))
	}
	certs, lists, err := c.Trust.Join(func(h Hash) []byte { return parts[h] })
	if err != nil || len(certs) != 1 || len(lists) != 1 || string(certs[0]) != "root" ||
		!bytes.Equal(lists[0], bytes.Repeat([]byte("list"), MaxTrustPart/3)) {
		t.Fatalf("joined %d certificates and %d lists, %v", len(certs), len(lists), err)
	}
	if n := len(c.Trust.Parts()); n != 3 {
		t.Errorf("names %d parts", n)
	}
	first, second := c.Trust.Certificates[0].Parts[0], c.Trust.Revocations[0].Parts[0]
	for name, get := range map[string]func(Hash) []byte{
		"none":    func(Hash) []byte { return nil },
		"another": func(h Hash) []byte { return parts[map[Hash]Hash{first: second}[h]] },
		"swapped": func(h Hash) []byte {
			if h == first {
				return parts[second]
			}
			return parts[h]
		},
	} {
		if _, _, err := c.Trust.Join(get); !errors.Is(err, ErrChange) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.Trust.Certificates[0].Size++
	if _, _, err := c.Trust.Join(func(h Hash) []byte { return parts[h] }); !errors.Is(err, ErrChange) {
		t.Errorf("another size: %v", err)
	}
}

// TestLargestTrustFitsAMessage: every part and every store that passes Check
// can be sent, each in a delta of its own.
func TestLargestTrustFitsAMessage(t *testing.T) {
	store := Trust{Issued: 1 << 62, Lists: ListsWhenPresent, ListAge: MaxListAge, AllowP224: true}
	for range MaxTrustEntries {
		store.Certificates = append(store.Certificates, TrustEntry{MaxTrustBytes / MaxTrustEntries, make([]Hash, 1)})
	}
	for name, c := range map[string]Change{
		"store": {Op: OpTrust, Ver: 1 << 63, Trust: &store},
		"part":  {Op: OpTrustPart, Ver: 1 << 63, Part: bytes.Repeat([]byte{0xff}, MaxTrustPart)},
	} {
		if err := c.Check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		raw, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		d, err := SealDelta(1, 1, Hash{}, [][]byte{raw}, "g1", [32]byte{1})
		if err != nil {
			t.Fatalf("%s of %d bytes: %v", name, len(raw), err)
		}
		if _, err := SignJSON(testSigner("k", RoleDelta), Header{Typ: TypeDelta, Ver: 1}, d); err != nil {
			t.Errorf("%s of %d bytes: %v", name, len(raw), err)
		}
	}
}

// TestUnknownFieldsOfAStoreSurvive: a later headquarters may say more.
func TestUnknownFieldsOfAStoreSurvive(t *testing.T) {
	c, _ := goodTrust()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	later := bytes.Replace(raw, []byte(`"lists":`), []byte(`"later":{"x":[1]},"lists":`), 1)
	d, err := SealDelta(1, 1, Hash{}, [][]byte{later}, "g1", [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := d.Open([32]byte{1})
	if err != nil || entries[0].Change.Check() != nil || len(entries[0].Change.Trust.Parts()) != 3 {
		t.Fatalf("opened %+v, %v", entries, err)
	}
	if entries[0].Hash != ChainNext(Hash{}, 1, 1, later) {
		t.Error("the chain is not over what headquarters wrote")
	}
}

// FuzzTrust: whatever passes Check joins from its own parts, or says why not,
// within its limits.
func FuzzTrust(f *testing.F) {
	c, _ := goodTrust()
	raw, err := json.Marshal(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"op":"trust","ver":1,"trust":{"issued":1,"lists":"off","certificates":[{"size":1,"parts":[""]}]}}`))
	f.Add([]byte(`{"op":"trust_part","ver":1,"part":"eA=="}`))
	part := make([]byte, MaxTrustPart)
	f.Fuzz(func(t *testing.T, in []byte) {
		var c Change
		if json.Unmarshal(in, &c) != nil || !c.OfTrust() || c.Check() != nil || c.Trust == nil {
			return
		}
		certs, lists, err := c.Trust.Join(func(Hash) []byte { return part })
		total := 0
		for _, der := range append(certs, lists...) {
			total += len(der)
		}
		if err == nil && total > MaxTrustBytes {
			t.Fatalf("%d bytes", total)
		}
	})
}
