package issue

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/barcode/symbol"
)

func office(t *testing.T, dir string, now time.Time) *Office {
	t.Helper()
	o, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestPassesAreWhatTheySay(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	o := office(t, dir, now)
	folder := filepath.Join(dir, "trust")
	if err := o.Trust(folder); err != nil {
		t.Fatal(err)
	}
	trust, err := seal.LoadTrust(folder, seal.TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind    Kind
		code    seal.Code
		expired bool
	}{
		{Good, seal.Valid, false},
		{Forged, seal.InvalidSignature, false},
		{Foreign, seal.UnknownCertificate, false},
		{Expired, seal.Valid, true},
		{Elsewhere, seal.Valid, false},
		{EntryOnly, seal.Valid, false},
		{Permit, seal.Valid, false},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			raw, err := o.Make(Order{Kind: c.kind, Number: "X1", Account: "A1", Crossing: "HNG1", Organisation: "O1"})
			if err != nil {
				t.Fatal(err)
			}
			s, err := seal.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			if got := trust.Verify(s, now).Code; got != c.code {
				t.Errorf("verifies as %s, want %s", got, c.code)
			}
			p, err := pass.FromSeal(s)
			if err != nil {
				t.Fatal(err)
			}
			if _, expired := p.On(now); expired != c.expired {
				t.Errorf("expired: %v", expired)
			}
			here, out, permit := p.Crossings[0] == "HNG1", p.Directions.Has(pass.Exit), p.Type == pass.TypePortPermit
			if here != (c.kind != Elsewhere) || out != (c.kind != EntryOnly) || permit != (c.kind == Permit) || p.Organisation != "O1" {
				t.Errorf("pass of kind %s: %+v", c.kind, p)
			}
		})
	}
}

func TestOfficeIsKeptForAWhile(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	order := Order{Kind: Good, Number: "X1", Account: "A1", Crossing: "HNG1"}
	issued := func(at time.Time) []byte {
		b, err := office(t, dir, at).Make(order)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := issued(now)
	if !bytes.Equal(first, issued(now.Add(10*day))) {
		t.Error("a pass is made anew though the office is kept")
	}
	if bytes.Equal(first, issued(now.Add(100*day))) {
		t.Error("an old office is still used")
	}
}

// TestTemplatesOpenWithTheOfficesKeys in both forms of a pass, also after the
// office was opened again.
func TestTemplatesOpenWithTheOfficesKeys(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	want := bytes.Repeat([]byte{7}, pass.TemplateSize)
	order := Order{Kind: Good, Number: "X1", Account: "A1", Crossing: "HNG1", Model: "faceres@0123", Reference: want}
	for _, text := range []bool{false, true} {
		order.Text = text
		o := office(t, dir, now)
		raw, err := o.Make(order)
		if err != nil {
			t.Fatal(err)
		}
		ks, err := pass.LoadTemplateKeys(o.TemplateKeys())
		if err != nil || ks.Len() != 2 {
			t.Fatalf("%d keys: %v", ks.Len(), err)
		}
		s, err := seal.Parse(raw)
		if err != nil || (s.Format == seal.FormatVDS) == text {
			t.Fatalf("format %v (%v)", s.Format, err)
		}
		p, err := pass.FromSeal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ks.Open(p); err != nil || !bytes.Equal(got, want) || p.Model != order.Model {
			t.Errorf("text %v: template does not open: %v", text, err)
		}
		if !text {
			if _, err := symbol.EncodeQR(raw, 1); err != nil {
				t.Errorf("it fits no label: %v", err)
			}
		}
	}
}
