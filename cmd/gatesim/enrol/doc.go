// Package enrol is the simulator's enrolment: portraits of people become the
// references that headquarters' accounts hold.
//
// The faces are analysed by the product's own gatevision program and judged
// by the product's own rules of quality. A portrait that the rules refuse is
// not enrolled, as at an issuing office. No two photographs are compared.
package enrol
