package pass

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// template is what an enrolment gives: no zeros, so that plain bytes would show.
func template() []byte {
	b := make([]byte, TemplateSize)
	for i := range b {
		b[i] = byte(i%125 + 1)
	}
	return b
}

func sealedPass(t testing.TB, k TemplateKey) Pass {
	t.Helper()
	p := valid()
	p.Model = "fr_feature@0123456789ab"
	if err := k.Seal(&p, template()); err != nil {
		t.Fatal(err)
	}
	return p
}

func ring(t testing.TB, keys ...TemplateKey) TemplateKeys {
	t.Helper()
	var b []byte
	for _, k := range keys {
		b = append(b, k.PEM()...)
	}
	ks, err := ParseTemplateKeys(b)
	if err != nil {
		t.Fatal(err)
	}
	return ks
}

func TestTemplateTravels(t *testing.T) {
	old, current := NewTemplateKey(), NewTemplateKey()
	p := sealedPass(t, old)
	if len(p.SealedTemplate) != SealedTemplateSize || bytes.Contains(p.SealedTemplate, template()[:8]) {
		t.Fatalf("%d bytes, or not sealed", len(p.SealedTemplate))
	}
	back, err := FromSeal(sealed(features(t, p)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ring(t, current, old).Open(back)
	if err != nil || !bytes.Equal(plain, template()) {
		t.Errorf("opened %d bytes: %v", len(plain), err)
	}
	if again := sealedPass(t, old); bytes.Equal(again.SealedTemplate, p.SealedTemplate) {
		t.Error("two seals are equal: the nonce repeats")
	}
}

func TestTemplateRefuses(t *testing.T) {
	k, other := NewTemplateKey(), NewTemplateKey()
	for name, c := range map[string]struct {
		change func(*Pass)
		keys   TemplateKeys
		want   error
	}{
		"other pass":  {func(p *Pass) { p.Number += "1" }, ring(t, k), ErrTemplate},
		"other model": {func(p *Pass) { p.Model += "c" }, ring(t, k), ErrTemplate},
		// Number and model must not run into each other.
		"shifted":     {func(p *Pass) { p.Number, p.Model = p.Number+p.Model[:1], p.Model[1:] }, ring(t, k), ErrTemplate},
		"cipher":      {func(p *Pass) { p.SealedTemplate[40] ^= 1 }, ring(t, k), ErrTemplate},
		"nonce":       {func(p *Pass) { p.SealedTemplate[5] ^= 1 }, ring(t, k), ErrTemplate},
		"tag":         {func(p *Pass) { p.SealedTemplate[SealedTemplateSize-1] ^= 1 }, ring(t, k), ErrTemplate},
		"key id":      {func(p *Pass) { copy(p.SealedTemplate, other.id[:]) }, ring(t, k, other), ErrTemplate},
		"too short":   {func(p *Pass) { p.SealedTemplate = p.SealedTemplate[:MinTemplateSize+templateOverhead-1] }, ring(t, k), ErrTemplate},
		"too long":    {func(p *Pass) { p.SealedTemplate = make([]byte, MaxTemplate+1) }, ring(t, k), ErrTemplate},
		"short":       {func(p *Pass) { p.SealedTemplate = p.SealedTemplate[:SealedTemplateSize-1] }, ring(t, k), ErrTemplate},
		"other key":   {func(*Pass) {}, ring(t, other), ErrTemplateKeyUnknown},
		"no key":      {func(*Pass) {}, TemplateKeys{}, ErrTemplateKeyUnknown},
		"no template": {func(p *Pass) { p.Model, p.SealedTemplate = "", nil }, ring(t, k), ErrNoTemplate},
	} {
		p := sealedPass(t, k)
		c.change(&p)
		if plain, err := c.keys.Open(p); !errors.Is(err, c.want) || plain != nil {
			t.Errorf("%s: %d bytes, %v", name, len(plain), err)
		}
	}
	for name, p := range map[string]Pass{"no number": {Model: "m"}, "no model": {Number: "A1"}} {
		if err := k.Seal(&p, template()); !errors.Is(err, ErrTemplate) || p.SealedTemplate != nil {
			t.Errorf("%s: sealed, %v", name, err)
		}
	}
	p := valid()
	p.Model = "m"
	if err := k.Seal(&p, template()[:MinTemplateSize-1]); !errors.Is(err, ErrTemplate) {
		t.Errorf("short template: %v", err)
	}
}

func TestTemplateKeyFile(t *testing.T) {
	k := NewTemplateKey()
	good := string(k.PEM())
	if ks := ring(t, k); ks.Len() != 1 {
		t.Errorf("%d keys", ks.Len())
	}
	if first, ok := ring(t, k, NewTemplateKey()).First(); !ok || first != k {
		t.Error("the first key is not the file's first")
	}
	if _, ok := (TemplateKeys{}).First(); ok {
		t.Error("no keys have a first")
	}
	for name, text := range map[string]string{
		"empty":  "",
		"junk":   "junk",
		"twice":  good + good,
		"type":   strings.ReplaceAll(good, TemplateKeyPEM, "PRIVATE KEY"),
		"tail":   good + "junk",
		"short":  "-----BEGIN " + TemplateKeyPEM + "-----\nAAAA\n-----END " + TemplateKeyPEM + "-----\n",
		"second": good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	} {
		if ks, err := ParseTemplateKeys([]byte(text)); !errors.Is(err, ErrTemplateKey) || ks.Len() > 0 {
			t.Errorf("%s: %d keys, %v", name, ks.Len(), err)
		}
	}
	secret := fmt.Sprintf("%x", k.secret)
	for _, printed := range []string{fmt.Sprint(k), fmt.Sprintf("%+v %#v %x", k, k, k), fmt.Sprintf("%+v", &k)} {
		if strings.Contains(printed, secret[:16]) || strings.Contains(printed, fmt.Sprint(k.secret)[1:20]) {
			t.Errorf("a key prints its secret: %s", printed)
		}
	}
}

// FuzzOpenTemplate feeds what a forger may write into the field: nothing opens
// but what was sealed.
func FuzzOpenTemplate(f *testing.F) {
	k := templateKeyOf([TemplateKeySize]byte{1})
	ks := TemplateKeys{keys: []TemplateKey{k}}
	p := sealedPass(f, k)
	f.Add(p.Number, p.Model, p.SealedTemplate)
	f.Add("", "", slices.Concat(k.id[:], make([]byte, SealedTemplateSize-templateKeyID)))
	f.Fuzz(func(t *testing.T, number, model string, sealed []byte) {
		q := Pass{Number: number, Model: model, SealedTemplate: sealed}
		// The fuzzer's processes seal with different nonces.
		plain, err := ks.Open(q)
		if err == nil && (!bytes.Equal(plain, template()) || number != p.Number || model != p.Model) {
			t.Error("a forged template opens")
		}
	})
}

// TestWithTemplateFitsALabel: header, ordinary fields and the sealed template
// stay below the 450 bytes of QR version 16 at level M.
func TestWithTemplateFitsALabel(t *testing.T) {
	n := 18 + 2 + 64
	for _, f := range features(t, sealedPass(t, NewTemplateKey())) {
		n += 2 + len(f.Value)
		if len(f.Value) > 127 {
			n++ // a longer DER length
		}
	}
	if n > 450 {
		t.Errorf("%d bytes", n)
	}
}

// TestTemplateOfAnotherRecogniser : how long a reference is, is its model's to say, within what a label can bear.
func TestTemplateOfAnotherRecogniser(t *testing.T) {
	k := NewTemplateKey()
	for n, want := range map[int]error{15: ErrTemplate, 16: nil, 128: nil, MaxTemplateSize: nil, MaxTemplateSize + 1: ErrTemplate} {
		p := valid()
		p.Model = "other@0123456789ab"
		plain := bytes.Repeat([]byte{7}, n)
		if err := k.Seal(&p, plain); !errors.Is(err, want) {
			t.Fatalf("%d bytes: %v, want %v", n, err, want)
		}
		if want != nil {
			continue
		}
		if got, err := ring(t, k).Open(p); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes came back as %d (%v)", n, len(got), err)
		}
	}
}
