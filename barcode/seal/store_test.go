package seal

import (
	"errors"
	"testing"
)

func TestReadStore(t *testing.T) {
	a, other := authority(t), authority(t)
	certs := [][]byte{a.CA.Raw, a.Signer.Raw}
	own := revoke(t, a, 1, nil)
	for name, c := range map[string]struct {
		certs, lists [][]byte
		beside       []TrustFile
		err          error
		code         Code
		leftOut      int
	}{
		"whole":                    {certs, [][]byte{own}, nil, nil, Valid, 0},
		"a certificate left out":   {append([][]byte{[]byte("later")}, certs...), nil, nil, nil, Valid, 1},
		"a list left out":          {certs, [][]byte{[]byte("later")}, nil, ErrStore, "", 0},
		"a stranger's list":        {certs, [][]byte{revoke(t, other, 1, nil)}, nil, ErrStore, "", 0},
		"no signer":                {certs[:1], nil, nil, ErrStore, "", 0},
		"signer stands beside":     {certs[:1], nil, []TrustFile{{Name: "s", Data: a.Signer.Raw}}, ErrStore, "", 0},
		"list beside":              {certs, nil, []TrustFile{{Name: "l", Data: revoke(t, a, 1, nil, 0x1A)}}, nil, RevokedCertificate, 0},
		"stranger's list beside":   {certs, nil, []TrustFile{{Name: "l", Data: revoke(t, other, 1, nil)}}, nil, Valid, 1},
		"unreadable file beside":   {certs, nil, []TrustFile{{Name: "l", err: errors.New("no")}}, nil, Valid, 1},
		"certificate among lists":  {certs, [][]byte{other.CA.Raw}, nil, nil, Valid, 0},
		"list among certificates":  {append([][]byte{revoke(t, a, 1, nil, 0x1A)}, certs...), nil, nil, nil, RevokedCertificate, 0},
		"nothing":                  {nil, nil, nil, ErrStore, "", 0},
		"signer without authority": {certs[1:], nil, nil, nil, UntrustedCertificate, 0},
	} {
		trust, err := ReadStore(TrustOptions{}, c.certs, c.lists, c.beside...)
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
			continue
		}
		if err != nil {
			continue
		}
		if got := trust.Verify(parsed(t, made(t, a)), now); got.Code != c.code || len(trust.LeftOut()) != c.leftOut {
			t.Errorf("%s: %s %v, left out %v", name, got.Code, got.Err, trust.LeftOut())
		}
	}
}

// FuzzReadStore: whatever a store holds, reading it ends, and a Trust of it
// answers.
func FuzzReadStore(f *testing.F) {
	a := authority(f)
	f.Add(a.CA.Raw, revoke(f, a, 1, nil, 0x1A))
	f.Add(a.Signer.Raw, []byte("junk"))
	s, err := Parse(made(f, a))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, certificate, list []byte) {
		trust, err := ReadStore(TrustOptions{Lists: ListsFresh}, [][]byte{a.Signer.Raw, certificate}, [][]byte{list}, TrustFile{Name: "x", Data: list})
		if err != nil {
			return
		}
		_ = trust.Entries(now)
		if r := trust.Verify(s, now); r.Valid() && r.Err != nil {
			t.Fatalf("%v", r)
		}
	})
}
