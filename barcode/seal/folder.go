package seal

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ErrTrust is returned for a trust folder that cannot be read at all.
var ErrTrust = errors.New("trust folder is not usable")

// Limits of a trust folder.
const (
	MaxTrustFiles = 2000
	MaxTrustFile  = 1 << 20 // bytes
)

// TrustFile is the content of a file with certificates and revocation lists.
type TrustFile struct {
	Name string
	Data []byte
	// ListsOnly passes over the certificates in it. Its lists revoke beside
	// those of the other files and never take the place of one, so that such a
	// file can only make a Trust stricter or fresher.
	ListsOnly bool

	err error // why it cannot be read
}

// ReadFolder reads the files of a trust folder.
func ReadFolder(dir string) ([]TrustFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTrust, err)
	}
	if len(entries) > MaxTrustFiles {
		return nil, fmt.Errorf("%w: more than %d files", ErrTrust, MaxTrustFiles)
	}
	var files []TrustFile
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		f := TrustFile{Name: e.Name()}
		f.Data, f.err = readBounded(filepath.Join(dir, e.Name()))
		files = append(files, f)
	}
	return files, nil
}

// The types of a PEM block that matter here; DER has none.
const (
	blockCertificate = "CERTIFICATE"
	blockList        = "X509 CRL"
)

func blocksOf(b []byte) ([]*pem.Block, error) {
	if !bytes.Contains(b, []byte("-----BEGIN ")) {
		return []*pem.Block{{Bytes: b}}, nil
	}
	var blocks []*pem.Block
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		if block.Type == blockCertificate || block.Type == blockList {
			blocks = append(blocks, block)
		}
		b = rest
	}
	if len(blocks) == 0 {
		return nil, errors.New("no certificate and no revocation list in it")
	}
	return blocks, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxTrustFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxTrustFile {
		return nil, errors.New("too large for a certificate")
	}
	return b, nil
}
