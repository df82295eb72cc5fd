package kernel

import "bytes"

// maxLine bounds a line of output, in bytes; a longer one is told in pieces.
const maxLine = 64 << 10

// console makes lines of what the guest prints. Standard output and error share it, as they
// share a terminal.
type console struct{ line []byte }

func (c *console) print(h Host, b []byte) {
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		piece := b
		if end >= 0 {
			piece = b[:end]
		}
		piece = piece[:min(len(piece), maxLine-len(c.line))]
		c.line = append(c.line, piece...)
		b = b[len(piece):]
		if len(b) > 0 && b[0] == '\n' {
			b = b[1:]
			c.tell(h)
		} else if len(c.line) == maxLine {
			c.tell(h)
		}
	}
}

func (c *console) tell(h Host) {
	line := string(c.line)
	c.line = c.line[:0]
	h.Output(line)
}

// flush tells a last line that has no end.
func (c *console) flush(h Host) {
	if len(c.line) > 0 {
		c.tell(h)
	}
}

// terminal is standard input, which is at its end, output and error.
type terminal struct{ always }

func (*terminal) kind() uint8   { return typeCharacter }
func (*terminal) flags() uint16 { return flagNonBlock }
func (*terminal) close()        {}

func (*terminal) read(*Process, []byte) (int, errno) { return 0, success }

func (*terminal) write(p *Process, b []byte) (int, errno) {
	p.console.print(p.host, b)
	return len(b), success
}
