package seal

import (
	"errors"
	"fmt"
	"strings"
)

// ErrStore is returned for a trust store that must not be used.
var ErrStore = errors.New("trust store is not usable")

// The names of a store's entries; no file of a folder has a slash in its name.
const (
	storeCertificate = "headquarters/certificate-"
	storeList        = "headquarters/list-"
)

// ReadStore makes a Trust of a store's certificates and revocation lists in
// DER, with files beside it of which only the lists count. A certificate that
// cannot be used is left out, since that only refuses; a list that cannot be
// used is ErrStore, since without it a revoked signer would be believed, and so
// is a store without any signer.
func ReadStore(o TrustOptions, certificates, lists [][]byte, beside ...TrustFile) (*Trust, error) {
	var files []TrustFile
	for i, der := range certificates {
		files = append(files, TrustFile{Name: fmt.Sprint(storeCertificate, i+1), Data: der})
	}
	for i, der := range lists {
		files = append(files, TrustFile{Name: fmt.Sprint(storeList, i+1), Data: der})
	}
	for _, f := range beside {
		f.ListsOnly = true
		files = append(files, f)
	}
	t := ReadTrust(o, files...)
	for _, l := range t.LeftOut() {
		if strings.HasPrefix(l.File, storeList) {
			return nil, fmt.Errorf("%w: %s: %w", ErrStore, l.File, l.Err)
		}
	}
	if t.Signers() == 0 {
		return nil, fmt.Errorf("%w: it has no signer", ErrStore)
	}
	return t, nil
}
