package accounts

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// Headquarters cannot sort a snapshot for a gate, whose keys are its own keyed
// hashes. So the items are sealed as they will be stored, put into parts by the
// first bits of their keys, and the parts sorted and loaded one after another:
// the file is written once from front to back, and memory holds one part.
const (
	perPart  = 1 << 14 // items of a part, about
	maxParts = 256
	partBuf  = 32 << 10
	fill     = 0.9 // of a page: full, with room for what changes later
)

// What a partial item is of.
const (
	partPut byte = iota + 1
	partStatus
	partPass
)

// part is an item as it waits in a part: the sealed form of what its change
// says by itself.
type part struct {
	key   accountKey
	kind  byte
	order uint64
	value []byte
}

// parts are the files of one bucket's items.
type parts struct {
	name  string
	files []*os.File
	bufs  []*bufio.Writer
}

func newParts(dir, name string, items uint64) (*parts, error) {
	n := 1
	for n < maxParts && uint64(n)*perPart < items {
		n *= 2
	}
	p := &parts{name: name}
	for i := range n {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s-%03d", name, i)), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.files, p.bufs = append(p.files, f), append(p.bufs, bufio.NewWriterSize(f, partBuf))
	}
	return p, nil
}

func (p *parts) add(it part) error {
	w := p.bufs[int(it.key[0])*len(p.bufs)/256]
	head := append(make([]byte, 0, 32), it.key[:]...)
	head = append(head, it.kind)
	head = binary.BigEndian.AppendUint64(head, it.order)
	head = binary.BigEndian.AppendUint32(head, uint32(len(it.value)))
	_, _ = w.Write(head) // an error stays for the next call
	_, err := w.Write(it.value)
	return err
}

// read gives part n sorted by key, and for one key in the log's order, and
// removes it.
func (p *parts) read(n int) ([]part, error) {
	if err := p.bufs[n].Flush(); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(p.files[n].Name())
	if err != nil {
		return nil, err
	}
	var out []part
	const head = 16 + 1 + 8 + 4
	for len(b) > 0 {
		if len(b) < head || uint64(len(b)-head) < uint64(binary.BigEndian.Uint32(b[25:])) {
			return nil, io.ErrUnexpectedEOF
		}
		end := head + int(binary.BigEndian.Uint32(b[25:]))
		out = append(out, part{accountKey(b[:16]), b[16], binary.BigEndian.Uint64(b[17:]), b[head:end:end]})
		b = b[end:]
	}
	slices.SortFunc(out, func(a, b part) int {
		if c := bytes.Compare(a.key[:], b.key[:]); c != 0 {
			return c
		}
		return cmp.Compare(a.order, b.order)
	})
	return out, os.Remove(p.files[n].Name())
}

func (p *parts) close() error {
	var err error
	for _, f := range p.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// builder fills the second file.
type builder struct {
	r        *Replica
	in       *incoming
	db       *bbolt.DB
	accounts *parts
	passes   *parts
	items    uint64
	stored   int // keys in accounts and passes together
}

// build makes the second file of the pieces that are here, complete but for
// what belongs to the moment of the switch.
func (r *Replica) build(ctx context.Context, in *incoming) (db *bbolt.DB, stored int, err error) {
	b := &builder{r: r, in: in}
	if b.accounts, err = newParts(in.dir, "accounts", in.m.Items); err != nil {
		return nil, 0, err
	}
	defer b.accounts.close() //nolint:errcheck // read by now, or of no use
	if b.passes, err = newParts(in.dir, "passes", in.m.Items); err != nil {
		return nil, 0, err
	}
	defer b.passes.close() //nolint:errcheck // as above
	// An item takes less than this on average, and the room is only address space.
	if b.db, err = r.makeNext(int64(in.m.Items) * 1024); err != nil {
		return nil, 0, err
	}
	b.db.NoSync = true // a crash leaves a file that nobody opens
	err = b.sort(ctx)
	r.opts.step("sorted")
	if err == nil {
		err = errors.Join(b.load(ctx, b.accounts, bucketAccounts), b.load(ctx, b.passes, bucketPasses))
	}
	if err == nil {
		err = b.db.Sync()
	}
	b.db.NoSync = false
	if err != nil {
		return nil, 0, errors.Join(err, discard(b.db))
	}
	r.opts.step("loaded")
	return b.db, b.stored, nil
}

// sort puts every item into its part.
func (b *builder) sort(ctx context.Context) error {
	for n := len(b.in.m.Index); n < b.in.m.Pieces; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		raws, err := b.in.items(n)
		if err != nil {
			return fmt.Errorf("piece %d: %w", n, err)
		}
		var others []wire.Change
		for _, raw := range raws {
			var c wire.Change
			if err := json.Unmarshal(raw, &c); err != nil {
				return fmt.Errorf("piece %d: %w", n, wire.ErrPayload)
			}
			b.items++
			bulk, err := b.put(&c)
			if err != nil {
				return fmt.Errorf("piece %d: %w", n, err)
			}
			if !bulk {
				others = append(others, c)
			}
		}
		if err := b.apply(others); err != nil {
			return fmt.Errorf("piece %d: %w", n, err)
		}
	}
	if b.items != b.in.m.Items {
		return fmt.Errorf("%w: %d items, its manifest names %d", ErrSnapshot, b.items, b.in.m.Items)
	}
	return nil
}

// put takes a change of an account or a pass; false for any other. One that
// breaks a rule changes nothing, as in Apply.
func (b *builder) put(c *wire.Change) (bulk bool, err error) {
	it, to := part{order: b.items}, b.accounts
	var plain []byte
	switch c.Op {
	case wire.OpPut, wire.OpStatus:
		if it.kind = partStatus; c.Op == wire.OpPut {
			it.kind = partPut
		}
		it.key = b.r.crypt.id(c.Account)
		a := accountOf(c)
		if c.Check() == nil {
			plain, err = a.encode()
		}
	case wire.OpRevoke, wire.OpStamp:
		it.kind, it.key, to = partPass, b.r.crypt.passKey(c.Pass), b.passes
		p := passOf(c)
		if c.Check() == nil {
			plain = p.encode()
		}
	default:
		return false, nil
	}
	if err != nil || plain == nil {
		return true, err
	}
	it.value = b.r.crypt.sealValue(it.key, plain)
	return true, to.add(it)
}

// apply takes the few changes that are of neither, in their order.
func (b *builder) apply(changes []wire.Change) error {
	if len(changes) == 0 {
		return nil
	}
	return b.db.Update(func(tx *bbolt.Tx) error {
		for i := range changes {
			if err := b.r.applyOne(tx, &changes[i], &Counts{}, map[accountKey]uint64{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// load writes the parts in order, one transaction for each.
func (b *builder) load(ctx context.Context, p *parts, bucket []byte) error {
	for n := range p.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		list, err := p.read(n)
		if err != nil {
			return fmt.Errorf("read sorted %s: %w", p.name, err)
		}
		err = b.db.Update(func(tx *bbolt.Tx) error {
			to := tx.Bucket(bucket)
			to.FillPercent = fill
			for len(list) > 0 {
				n := 1
				for n < len(list) && list[n].key == list[0].key {
					n++
				}
				value, err := b.value(list[:n])
				if err == nil {
					err = to.Put(list[0].key[:], value)
				}
				if err != nil {
					return err
				}
				b.stored++
				list = list[n:]
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("load %s: %w", p.name, err)
		}
	}
	return nil
}

// value is what is stored for the items of one key.
func (b *builder) value(items []part) ([]byte, error) {
	key := items[0].key
	if len(items) == 1 {
		return items[0].value, nil
	}
	if items[0].kind == partPass {
		var p Pass
		for _, it := range items {
			plain, err := b.r.crypt.openValue(key, it.value)
			if err != nil {
				return nil, err
			}
			in, err := decodePass(plain)
			if err != nil {
				return nil, err
			}
			p, _ = p.fold(in)
		}
		return b.r.crypt.sealValue(key, p.encode()), nil
	}
	var a Account
	for _, it := range items {
		in, err := b.r.crypt.open(key, it.value)
		if err != nil {
			return nil, err
		}
		a, _ = a.fold(it.kind == partPut, in)
	}
	return b.r.crypt.seal(key, &a)
}
