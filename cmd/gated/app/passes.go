package app

import (
	"errors"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/gate"
	"bordergate/gate/reason"
)

// passes reads symbols for the lane: parse, profile, signature, in this order,
// so that a foreign code costs nothing and proves nothing.
type passes struct {
	trust func() *seal.Trust // the newest; nil where the cache has to be filled first
}

func (p passes) Read(payload []byte, at time.Time) gate.Claim {
	s, err := seal.Parse(payload)
	if err != nil {
		return gate.Claim{Fault: reason.PassFormat}
	}
	if s.FeatureRef != pass.FeatureRef || s.Category != pass.Category {
		return gate.Claim{Fault: reason.PassFormat}
	}
	trust := p.trust()
	if trust == nil {
		return gate.Claim{Fault: reason.CacheStale, Detail: "trust_missing"}
	}
	if r := trust.Verify(s, at); !r.Valid() {
		return gate.Claim{Fault: faultOf(r), Detail: detailOf(r)}
	}
	read, err := pass.FromSeal(s)
	switch {
	case err != nil && seal.CodeOf(err) == seal.InvalidDocumentType:
		return gate.Claim{Fault: reason.PassType}
	case err != nil:
		return gate.Claim{Fault: reason.PassFormat}
	}
	return gate.Claim{Pass: gatePass(read)}
}

// faultOf maps the codes of ICAO Doc 9303-13 appendix D to reasons.
func faultOf(r seal.Result) reason.Reason {
	switch {
	case r.Code == seal.InvalidSignature, errors.Is(r.Err, seal.ErrSignedInFuture):
		return reason.PassSignature
	case r.Code == seal.UnknownCertificate, r.Code == seal.UntrustedCertificate,
		r.Code == seal.ExpiredCertificate, r.Code == seal.RevokedCertificate:
		return reason.PassSigner
	default:
		return reason.PassFormat
	}
}

// detailOf tells apart what a reason sums up (docs/trust.md).
func detailOf(r seal.Result) string {
	switch {
	case errors.Is(r.Err, seal.ErrCurve):
		return "signer_curve"
	case errors.Is(r.Err, seal.ErrNoList):
		return "list_missing"
	case errors.Is(r.Err, seal.ErrListOld):
		return "list_old"
	case errors.Is(r.Err, seal.ErrSignedInFuture), errors.Is(r.Err, seal.ErrIssuedInFuture):
		return "date_in_future"
	}
	return map[seal.Code]string{
		seal.UnknownCertificate: "signer_unknown", seal.UntrustedCertificate: "signer_untrusted",
		seal.ExpiredCertificate: "signer_expired", seal.RevokedCertificate: "signer_revoked", seal.InvalidSignature: "signature",
	}[r.Code]
}

// gatePass turns the calendar dates of a pass, both inclusive, into moments of
// this place.
func gatePass(p pass.Pass) gate.Pass {
	g := gate.Pass{
		Number: p.Number, Type: p.Type, Account: p.Account, Organisation: p.Organisation, Crossings: p.Crossings,
		ValidFrom: localMidnight(p.ValidFrom, 0), ValidTo: localMidnight(p.ValidTo, 1),
		NameMRZ: p.NameMRZ, Birth: p.Birth, Model: p.Model, Template: p.SealedTemplate,
	}
	if p.Directions.Has(pass.Entry) {
		g.Directions = append(g.Directions, gate.DirEntry)
	}
	if p.Directions.Has(pass.Exit) {
		g.Directions = append(g.Directions, gate.DirExit)
	}
	return g
}

func localMidnight(t time.Time, days int) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d+days, 0, 0, 0, 0, time.Local)
}
