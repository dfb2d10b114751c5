package scanner

import (
	"bytes"
	"strings"
)

// Names of symbologies, as the camera's reader names them.
const (
	symbolQR         = "qr"
	symbolDataMatrix = "datamatrix"
	symbolAztec      = "aztec"
	symbolPDF417     = "pdf417"
	symbolCode128    = "code128"
)

// aimID is a parsed identifier (ISO/IEC 15424): a bracket, the symbology's
// letter and a modifier.
type aimID struct {
	text   string
	symbol string // empty for those that no pass comes in
	eci    bool   // the data carries ECI escapes
}

func parseAIM(b []byte) (aimID, bool) {
	if len(b) < 3 || b[0] != ']' || !alpha(b[1]) || !alpha(b[2]) && (b[2] < '0' || b[2] > '9') {
		return aimID{}, false
	}
	id := aimID{text: string(b[:3])}
	eci := ""
	switch b[1] {
	case 'Q':
		id.symbol, eci = symbolQR, "246"
	case 'd':
		id.symbol, eci = symbolDataMatrix, "456"
	case 'z':
		id.symbol, eci = symbolAztec, "3459AB"
	case 'L':
		id.symbol, eci = symbolPDF417, "1"
	case 'C':
		id.symbol = symbolCode128
	}
	id.eci = strings.IndexByte(eci, b[2]) >= 0
	return id, true
}

func alpha(c byte) bool { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') }

// unescape undoes what a scanner does to data with ECI: it doubles each
// backslash and writes a change of character set as a backslash and six
// digits. The bytes themselves are left as they are.
func unescape(b []byte) ([]byte, bool) {
	const digits = 6
	var out []byte
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return append(out, b...), true
		}
		out, b = append(out, b[:i]...), b[i+1:]
		switch {
		case len(b) > 0 && b[0] == '\\':
			out, b = append(out, '\\'), b[1:]
		case len(b) >= digits && len(bytes.Trim(b[:digits], "0123456789")) == 0:
			b = b[digits:]
		default:
			return nil, false
		}
	}
}
