package files

// Error says what went wrong, as the error number of an operating system does. All errors
// of this package are of this type, but for the io.EOF of ReadAt.
type Error uint8

const (
	NotExist     Error = iota + 1 // there is no such file or directory
	Exist                         // there is one already
	IsDir                         // a directory where a file is needed
	NotDir                        // a file where a directory is needed
	NotEmpty                      // a directory that holds something
	NoSpace                       // the disk is full
	IO                            // the disk is broken
	Invalid                       // makes no sense, such as a path that leaves the root
	NameTooLong                   // a name of more than 255 bytes, or a path of more than 4096
	TooBig                        // a file of more than MaxSize
	BadHandle                     // the file was closed, or not opened for this
	NotSupported                  // for callers: what no file system here has, such as links
)

// texts are the words of Linux.
var texts = [...]string{
	NotExist:     "no such file or directory",
	Exist:        "file exists",
	IsDir:        "is a directory",
	NotDir:       "not a directory",
	NotEmpty:     "directory not empty",
	NoSpace:      "no space left on device",
	IO:           "input/output error",
	Invalid:      "invalid argument",
	NameTooLong:  "file name too long",
	TooBig:       "file too large",
	BadHandle:    "bad file descriptor",
	NotSupported: "operation not supported",
}

func (e Error) Error() string {
	if int(e) < len(texts) && texts[e] != "" {
		return texts[e]
	}
	return "unknown error of a file system"
}
