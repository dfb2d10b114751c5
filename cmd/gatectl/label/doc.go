// Package label draws the label of a pass: its QR code with name, number and
// validity in print beside it, as PNG for a label printer and as PDF.
//
// Both are drawn from one layout in steps of 1/600 inch. A module of the code
// is a whole number of the printer's dots and never below the profile's
// 0.3386 mm; nothing is scaled or smoothed on the way. A name in letters that
// the embedded font lacks is printed as in the machine-readable zone, so that
// no box or question mark ever stands for a letter. The same input gives the
// same bytes.
package label
