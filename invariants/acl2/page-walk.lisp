; A walker of page tables over raw memory, written from the figures of APM volume 2, chapter 5: what the
; tables, entries and leaves in an exported state are compared with.
;
; A format is (LEVELS PSE NXE): 2 levels of 32-bit entries, 3 of legacy PAE, or 4. Memory is an alist from the
; addresses of pages to alists from addresses in them to the 8-byte words there that are not 0; of a page that
; is no RAM the value is :NO-RAM. A walk that comes to a page that memory does not have answers :MISSING.

(in-package "ACL2")

(defun nth-of (n x)
  (declare (xargs :guard (natp n)))
  (cond ((atom x) nil) ((zp n) (car x)) (t (nth-of (- n 1) (cdr x)))))

(defun find-pair (key alist)
  (declare (xargs :guard t))
  (cond ((atom alist) nil)
        ((and (consp (car alist)) (equal (caar alist) key)) (car alist))
        (t (find-pair key (cdr alist)))))

(defun levels-of (format)
  (declare (xargs :guard t))
  (let ((levels (nth-of 0 format)))
    (if (and (natp levels) (<= 2 levels) (<= levels 4)) levels 4)))

(defun has-4mib-pages (format)
  (declare (xargs :guard t))
  (nth-of 1 format))

(defun has-no-execute (format)
  (declare (xargs :guard t))
  (nth-of 2 format))

; All bits from LOW to HIGH, and those of X.
(defun mask (low high)
  (declare (xargs :guard (and (natp low) (natp high))))
  (ifix (- (ash 1 (+ 1 (nfix high))) (ash 1 (nfix low)))))

(defun field (x low high)
  (declare (xargs :guard (and (integerp x) (natp low) (natp high))))
  (logand (ifix x) (mask low high)))

(defun entry-bytes (format)
  (declare (xargs :guard t))
  (if (equal (levels-of format) 2) 4 8))

(defun entry-count (format level)
  (declare (xargs :guard t))
  (cond ((and (equal (levels-of format) 3) (equal level 3)) 4)
        ((equal (levels-of format) 2) 1024)
        (t 512)))

; Bytes that one entry of a level translates.
(defun entry-span (format level)
  (declare (xargs :guard (natp level)))
  (let ((span (ash 1 (+ 12 (* (if (equal (levels-of format) 2) 10 9) (nfix (- (nfix level) 1)))))))
    (if (posp span) span 1)))

(in-theory (disable mask field entry-span levels-of entry-count entry-bytes))

; ---------------------------------------------------------------- one entry

(defun present (entry)
  (declare (xargs :guard (integerp entry)))
  (equal (field entry 0 0) 1))

(defun may-map-large-page (format level)
  (declare (xargs :guard t))
  (cond ((equal (levels-of format) 2) (and (equal level 2) (has-4mib-pages format)))
        ((equal (levels-of format) 3) (equal level 2))
        (t (or (equal level 2) (equal level 3)))))

(defun maps-page (format level entry)
  (declare (xargs :guard (integerp entry)))
  (or (equal level 1)
      (and (may-map-large-page format level) (not (equal (field entry 7 7) 0)))))

; Bits that must be zero; physical addresses have 40 bits.
(defun must-be-zero (format level page)
  (declare (xargs :guard t))
  (cond ((equal (levels-of format) 2)
         (if (and page (equal level 2)) (mask 21 21) 0))
        ((and (equal (levels-of format) 3) (equal level 3))
         (+ (mask 40 63) (mask 5 8) (mask 1 2)))
        (t (+ (if (equal (levels-of format) 3) (mask 40 62) (mask 40 51))
              (if (has-no-execute format) 0 (mask 63 63))
              (cond ((equal level 2) (if page (mask 13 20) 0))
                    ((equal level 3) (if page (mask 13 29) (mask 8 8)))
                    ((equal level 4) (mask 7 8))
                    (t 0))))))

; :NONE where it leads nowhere, :PAGE or :TABLE.
(defun entry-kind (format level entry)
  (declare (xargs :guard (integerp entry)))
  (let ((page (maps-page format level entry)))
    (cond ((not (present entry)) :none)
          ((not (equal (logand (ifix entry) (must-be-zero format level page)) 0)) :none)
          (page :page)
          (t :table))))

; The page or table that an entry names. Bits 20:13 of a 4 MiB page's entry are bits 39:32 of its address.
(defun entry-target (format level entry)
  (declare (xargs :guard (and (integerp entry) (natp level))))
  (cond ((not (maps-page format level entry)) (field entry 12 39))
        ((and (equal (levels-of format) 2) (equal level 2))
         (+ (field entry 22 31) (* (field entry 13 20) 524288)))
        (t (* (entry-span format level)
              (floor (field entry 12 39) (entry-span format level))))))

; ---------------------------------------------------------------- one table

; The alist of the page that holds an address; :NO-RAM or :MISSING.
(defun page-at (address memory)
  (declare (xargs :guard (integerp address)))
  (let ((pair (find-pair (* 4096 (floor (ifix address) 4096)) memory)))
    (if (consp pair) (cdr pair) :missing)))

(defun entry-at (format address page)
  (declare (xargs :guard (integerp address)))
  (let* ((first (* 8 (floor (ifix address) 8)))
         (pair (find-pair first page))
         (word (if (consp pair) (ifix (cdr pair)) 0)))
    (cond ((equal (entry-bytes format) 8) word)
          ((equal first (ifix address)) (field word 0 31))
          (t (ash (field word 32 63) -32)))))

; (ADDRESS ENTRY GPA) of each present entry from INDEX on.
(defun present-entries (format level table base page index)
  (declare (xargs :guard (and (natp level) (integerp table) (integerp base) (natp index))
                  :measure (nfix (- (entry-count format level) (nfix index)))))
  (if (<= (entry-count format level) (nfix index))
      nil
    (let* ((address (+ (ifix table) (* (nfix index) (entry-bytes format))))
           (entry (entry-at format address page))
           (gpa (+ (ifix base) (* (nfix index) (entry-span format level))))
           (rest (present-entries format level table base page (+ 1 (nfix index)))))
      (if (present entry) (cons (list address entry gpa) rest) rest))))

; ---------------------------------------------------------------- the walk

; A visit is (LEVEL TABLE BASE PAGE), with the table's page or :NO-RAM.
(defun visits-below (format level entries)
  (declare (xargs :guard (natp level)))
  (if (atom entries)
      nil
    (let ((entry (ifix (nth-of 1 (car entries))))
          (rest (visits-below format level (cdr entries))))
      (if (equal (entry-kind format level entry) :table)
          (cons (list (nfix (- (nfix level) 1)) (entry-target format level entry)
                      (ifix (nth-of 2 (car entries))))
                rest)
        rest))))

; In the order of the addresses translated; a table that was seen at the same level is not visited again.
(defun visits (format memory pending seen limit)
  (declare (xargs :guard (and (true-listp pending) (natp limit))
                  :measure (nfix limit)))
  (if (or (zp limit) (atom pending))
      nil
    (let* ((level (nfix (nth-of 0 (car pending))))
           (table (ifix (nth-of 1 (car pending))))
           (base (ifix (nth-of 2 (car pending))))
           (page (page-at table memory))
           (key (cons level table)))
      (if (find-pair key seen)
          (visits format memory (cdr pending) seen (- limit 1))
        (let ((below (if (equal level 1)
                         nil
                       (visits-below format level
                                     (present-entries format level table base page 0)))))
          (cons (list level table base page)
                (visits format memory (append below (cdr pending)) (cons (list key) seen)
                        (- limit 1))))))))

(defconst *most-visits* 4000000)

; Where the root register says that the top table is.
(defun top-table (format root)
  (declare (xargs :guard (integerp root)))
  (cond ((equal (levels-of format) 4) (field root 12 39))
        ((equal (levels-of format) 3) (field root 5 31))
        (t (field root 12 31))))

(defun walk (format root memory)
  (declare (xargs :guard (integerp root)))
  (visits format memory (list (list (levels-of format) (top-table format root) 0)) nil
          *most-visits*))

; ---------------------------------------------------------------- collections, with the fields asked for

(defun span (first bytes)
  (declare (xargs :guard (and (integerp first) (integerp bytes))))
  (list (cons (ifix first) (+ (ifix first) (ifix bytes)))))

(defun right (name entry)
  (declare (xargs :guard (integerp entry)))
  (case name
    (|writable| (not (equal (field entry 1 1) 0)))
    (|user| (not (equal (field entry 2 2) 0)))
    (|no_execute| (not (equal (field entry 63 63) 0)))
    (t :no-such-field)))

(defun leaf-field (name format level address entry gpa)
  (declare (xargs :guard (and (natp level) (integerp entry) (integerp gpa))))
  (let ((target (entry-target format level entry)) (size (entry-span format level)))
    (case name
      (|gpa| gpa)
      (|hpa| target)
      (|size| size)
      (|range| (span target size))
      (|gpa_range| (span gpa size))
      (|level| level)
      (|entry| address)
      (|value| entry)
      (t (right name entry)))))

(defun entry-field (name format level address entry gpa)
  (declare (xargs :guard (and (natp level) (integerp entry))))
  (case name
    (|hpa| address)
    (|gpa| gpa)
    (|value| entry)
    (|level| level)
    (|is_leaf| (equal (entry-kind format level entry) :page))
    (|is_reserved| (equal (entry-kind format level entry) :none))
    (t (right name entry))))

; Tables that entries of the visited ones name, each as often as that happens.
(defun addresses-of-visits (visits)
  (declare (xargs :guard t))
  (if (atom visits)
      nil
    (cons (ifix (nth-of 1 (car visits))) (addresses-of-visits (cdr visits)))))

(defun named-tables (format visits)
  (declare (xargs :guard t))
  (if (atom visits)
      nil
    (let ((level (nfix (nth-of 0 (car visits))))
          (table (ifix (nth-of 1 (car visits))))
          (base (ifix (nth-of 2 (car visits))))
          (page (nth-of 3 (car visits))))
      (append (if (equal level 1)
                  nil
                (addresses-of-visits
                 (visits-below format level (present-entries format level table base page 0))))
              (named-tables format (cdr visits))))))

(defun times-named (page tables)
  (declare (xargs :guard (integerp page)))
  (cond ((atom tables) 0)
        ((equal (floor (ifix (car tables)) 4096) page) (+ 1 (times-named page (cdr tables))))
        (t (times-named page (cdr tables)))))

(defun table-field (name format level table named)
  (declare (xargs :guard (integerp table)))
  (case name
    (|names| (times-named (floor table 4096) named))
    (|hpa| table)
    (|range| (span table (* (entry-count format level) (entry-bytes format))))
    (|level| level)
    (t :no-such-field)))

; As a record of an exported state: an alist by name. KIND is :LEAF or :ENTRY.
(defun row-record (kind names format level row)
  (declare (xargs :guard (natp level)))
  (if (atom names)
      nil
    (let ((address (ifix (nth-of 0 row))) (entry (ifix (nth-of 1 row))) (gpa (ifix (nth-of 2 row))))
      (cons (cons (car names)
                  (if (equal kind :leaf)
                      (leaf-field (car names) format level address entry gpa)
                    (entry-field (car names) format level address entry gpa)))
            (row-record kind (cdr names) format level row)))))

(defun row-records (kind names format level rows)
  (declare (xargs :guard (natp level)))
  (cond ((atom rows) nil)
        ((or (equal kind :entry)
             (equal (entry-kind format level (ifix (nth-of 1 (car rows)))) :page))
         (cons (row-record kind names format level (car rows))
               (row-records kind names format level (cdr rows))))
        (t (row-records kind names format level (cdr rows)))))

(defun table-record (names format level table named)
  (declare (xargs :guard (integerp table)))
  (if (atom names)
      nil
    (cons (cons (car names) (table-field (car names) format level table named))
          (table-record (cdr names) format level table named))))

; Of what lies in a table that is no RAM nothing is known.
(defun rows-of-visits (kind names format visits)
  (declare (xargs :guard t))
  (if (atom visits)
      nil
    (let ((level (nfix (nth-of 0 (car visits))))
          (table (ifix (nth-of 1 (car visits))))
          (base (ifix (nth-of 2 (car visits))))
          (page (nth-of 3 (car visits)))
          (rest (rows-of-visits kind names format (cdr visits))))
      (cond ((equal page :missing) (cons :missing rest))
            ((equal page :no-ram) (cons :unknown rest))
            (t (append (row-records kind names format level
                                    (present-entries format level table base page 0))
                       rest))))))

; NAMED has all tables that are named, the top one by the root register.
(defun tables-of-visits (names format visits named)
  (declare (xargs :guard t))
  (if (atom visits)
      nil
    (cons (table-record names format (nfix (nth-of 0 (car visits))) (ifix (nth-of 1 (car visits)))
                        named)
          (tables-of-visits names format (cdr visits) named))))

(defun unreadable (visits)
  (declare (xargs :guard t))
  (cond ((atom visits) nil)
        ((consp (nth-of 3 (car visits))) (unreadable (cdr visits)))
        ((equal (nth-of 3 (car visits)) nil) (unreadable (cdr visits)))
        (t (cons :unknown (unreadable (cdr visits))))))

; A span joined with spans that neither overlap nor touch, in their order.
(defun add-span (first end spans)
  (declare (xargs :guard (and (integerp first) (integerp end))))
  (if (atom spans)
      (list (cons first end))
    (let ((low (if (consp (car spans)) (ifix (caar spans)) 0))
          (high (if (consp (car spans)) (ifix (cdar spans)) 0)))
      (cond ((< end low) (cons (cons first end) spans))
            ((< high first) (cons (car spans) (add-span first end (cdr spans))))
            (t (add-span (min first low) (max end high) (cdr spans)))))))

(defun spans-of-leaves (leaves)
  (declare (xargs :guard t))
  (if (atom leaves)
      nil
    (let ((first (ifix (cdr (find-pair '|hpa| (car leaves)))))
          (size (ifix (cdr (find-pair '|size| (car leaves))))))
      (add-span first (+ first size) (spans-of-leaves (cdr leaves))))))

; What a state has of a walk: KIND is :LEAVES, :ENTRIES, :TABLES or :MAPPED.
(defun walk-value (kind names format root memory)
  (declare (xargs :guard (integerp root)))
  (let ((visits (walk format root memory)))
    (case kind
      (:leaves (rows-of-visits :leaf names format visits))
      (:entries (rows-of-visits :entry names format visits))
      (:tables (append (tables-of-visits names format visits
                                         (cons (top-table format root)
                                               (named-tables format visits)))
                       (unreadable visits)))
      (t (if (consp (unreadable visits))
             :unknown
           (spans-of-leaves (rows-of-visits :leaf '(|hpa| |size|) format visits)))))))

; CR4.PSE, CR4.PAE, EFER.LMA and EFER.NXE, where CR0.PG is 1 (section 5.1).
(defun format-of (cr4 efer)
  (declare (xargs :guard (and (integerp cr4) (integerp efer))))
  (list (cond ((not (equal (field efer 10 10) 0)) 4)
              ((not (equal (field cr4 5 5) 0)) 3)
              (t 2))
        (not (equal (field cr4 4 4) 0))
        (not (equal (field efer 11 11) 0))))
