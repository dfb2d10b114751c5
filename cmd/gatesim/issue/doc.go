// Package issue is the simulator's issuing office: it has a signing
// authority that the gate trusts and one that it does not, and makes passes,
// good ones and bad ones.
//
// Keys and passes are made at the first run and kept in a cache folder, for
// 60 days, so that the pictures of passes need not be drawn again. They are
// worth nothing outside a simulated gate, and never part of the project.
package issue
