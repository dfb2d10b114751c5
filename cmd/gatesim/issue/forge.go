package issue

import (
	"bytes"
	"errors"
)

// forge changes a letter of the holder's name and leaves the signature.
func forge(raw []byte) ([]byte, error) {
	out := bytes.Replace(raw, []byte(nameMade), []byte(nameForged), 1)
	if bytes.Equal(out, raw) {
		return nil, errors.New("forge: no name in the pass")
	}
	return out, nil
}
