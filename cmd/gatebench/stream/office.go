package stream

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
)

// errPass is returned for a payload that a gate would not take.
var errPass = errors.New("no pass that is verified")

// office issues passes and verifies them as a gate does.
type office struct {
	authority *seal.Authority
	trust     *seal.Trust
	today     time.Time
}

const day = 24 * time.Hour

func newOffice(today time.Time) (*office, error) {
	today = today.UTC().Truncate(day)
	a, err := seal.NewAuthority(seal.AuthorityOptions{
		Country: "UT", Signer: "B1", Serial: 1, NotBefore: today.Add(-100 * day), NotAfter: today.Add(1000 * day),
	})
	if err != nil {
		return nil, fmt.Errorf("found office: %w", err)
	}
	return &office{authority: a, trust: seal.NewTrust([]*x509.Certificate{a.CA, a.Signer}, seal.TrustOptions{}), today: today}, nil
}

// issue makes a pass's payload.
func (o *office) issue(number string) ([]byte, error) {
	from := o.today.Add(-10 * day)
	p := pass.Pass{
		Number: number, Type: pass.TypeBorderPass, Name: "NGƯỜI MẪU", NameMRZ: "NGUOI<MAU", Birth: from.AddDate(-30, 0, 0).Truncate(day),
		Account: "UTB" + number, ValidFrom: from, ValidTo: from.Add(300 * day), Crossings: []string{"UTX1"}, Directions: pass.Exit | pass.Entry,
	}
	features, err := p.Features()
	if err != nil {
		return nil, fmt.Errorf("issue pass: %w", err)
	}
	h, err := seal.NewHeader(o.authority.Signer, "UTO", from, from)
	if err != nil {
		return nil, fmt.Errorf("issue pass: %w", err)
	}
	raw, err := seal.Sign(pass.Header(h), features, o.authority.SignerKey)
	if err != nil {
		return nil, fmt.Errorf("issue pass: %w", err)
	}
	return raw, nil
}

// verify is what the daemon does with a payload, to the number of the pass.
func (o *office) verify(payload []byte) (string, error) {
	s, err := seal.Parse(payload)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errPass, err)
	}
	if r := o.trust.Verify(s, o.today); !r.Valid() {
		return "", fmt.Errorf("%w: %s", errPass, r.Code)
	}
	p, err := pass.FromSeal(s)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errPass, err)
	}
	return p.Number, nil
}
