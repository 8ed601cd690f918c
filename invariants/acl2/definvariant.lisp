; The macro book that exported invariants are built on: values with "unknown", reads of a state, quantifiers.
;
; A value is an integer, T or NIL for a boolean, a list of pairs (FIRST . END) for a range, a list of
; values for a list, an alist by name for a record, or :UNKNOWN. Every function takes anything and
; answers, so that what is built of them has the guard T: what is not what an operator wants is unknown.
;
; A state is an alist from keys to values, one entry for everything that an invariant read. Two states
; make up what an invariant is about: (NOW . BEFORE), where BEFORE is what old(e) looks at.

(in-package "ACL2")

; ---------------------------------------------------------------- three values

(defun u-three-p (x)
  (declare (xargs :guard t))
  (or (equal x t) (equal x nil) (equal x :unknown)))

(defun u-boolean (x)
  (declare (xargs :guard t))
  (if (or (equal x t) (equal x nil)) x :unknown))

(defun u-integer (x)
  (declare (xargs :guard t))
  (if (integerp x) x :unknown))

(defun u-not (a)
  (declare (xargs :guard t))
  (cond ((equal a t) nil) ((equal a nil) t) (t :unknown)))

(defun u-and (a b)
  (declare (xargs :guard t))
  (cond ((equal a nil) nil) ((equal b nil) nil) ((and (equal a t) (equal b t)) t) (t :unknown)))

(defun u-or (a b)
  (declare (xargs :guard t))
  (cond ((equal a t) t) ((equal b t) t) ((and (equal a nil) (equal b nil)) nil) (t :unknown)))

(defun u-implies (a b)
  (declare (xargs :guard t))
  (u-or (u-not a) b))

(defun u-if (c a b)
  (declare (xargs :guard t))
  (cond ((equal c t) a) ((equal c nil) b) (t :unknown)))

; Equality of integers or of booleans.
(defun u-equal (a b)
  (declare (xargs :guard t))
  (if (or (equal a :unknown) (equal b :unknown)) :unknown (equal a b)))

(defun u-iff (a b)
  (declare (xargs :guard t))
  (u-equal (u-boolean a) (u-boolean b)))

; ---------------------------------------------------------------- integers

(defun u< (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b)) (< a b) :unknown))

(defun u<= (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b)) (<= a b) :unknown))

(defun u+ (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b)) (+ a b) :unknown))

(defun u- (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b)) (- a b) :unknown))

(defun u* (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b)) (* a b) :unknown))

; Towards zero, as C divides.
(defun u-divide (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b) (not (equal b 0))) (truncate a b) :unknown))

(defun u-remainder (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b) (not (equal b 0))) (rem a b) :unknown))

(defun u-negate (a)
  (declare (xargs :guard t))
  (if (integerp a) (- a) :unknown))

(defun u-lognot (a)
  (declare (xargs :guard t))
  (if (integerp a) (lognot a) :unknown))

(defun u-logand (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b)) (logand a b) :unknown))

(defun u-logior (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b)) (logior a b) :unknown))

(defun u-logxor (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b)) (logxor a b) :unknown))

(defconst *most-shift* 4096)

(defun u-shift-left (a n)
  (declare (xargs :guard t))
  (if (and (integerp a) (natp n) (<= n *most-shift*)) (ash a n) :unknown))

(defun u-shift-right (a n)
  (declare (xargs :guard t))
  (if (and (integerp a) (natp n) (<= n *most-shift*)) (ash a (- n)) :unknown))

(defun u-min (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b)) (min a b) :unknown))

(defun u-max (a b)
  (declare (xargs :guard t))
  (if (and (integerp a) (integerp b)) (max a b) :unknown))

; ---------------------------------------------------------------- ranges

(defun range-p (r)
  (declare (xargs :guard t))
  (if (atom r)
      (equal r nil)
    (and (consp (car r)) (integerp (caar r)) (integerp (cdar r)) (range-p (cdr r)))))

(defun span-meets (first end r)
  (declare (xargs :guard (and (integerp first) (integerp end) (range-p r))))
  (and (consp r)
       (or (and (< first (cdar r)) (< (caar r) end)) (span-meets first end (cdr r)))))

(defun ranges-meet (a b)
  (declare (xargs :guard (and (range-p a) (range-p b))))
  (and (consp a)
       (or (span-meets (caar a) (cdar a) b) (ranges-meet (cdr a) b))))

; The pairs of a range neither overlap nor touch, so that one span lies within one pair.
(defun span-within (first end r)
  (declare (xargs :guard (and (integerp first) (integerp end) (range-p r))))
  (and (consp r)
       (or (and (<= (caar r) first) (<= end (cdar r))) (span-within first end (cdr r)))))

(defun range-within (a b)
  (declare (xargs :guard (and (range-p a) (range-p b))))
  (or (atom a)
      (and (span-within (caar a) (cdar a) b) (range-within (cdr a) b))))

(defun range-size (r)
  (declare (xargs :guard (range-p r)))
  (if (atom r) 0 (+ (- (cdar r) (caar r)) (range-size (cdr r)))))

(defun u-overlaps (a b)
  (declare (xargs :guard t))
  (if (and (range-p a) (range-p b)) (ranges-meet a b) :unknown))

(defun u-disjoint (a b)
  (declare (xargs :guard t))
  (u-not (u-overlaps a b)))

(defun u-within (a b)
  (declare (xargs :guard t))
  (if (and (range-p a) (range-p b)) (range-within a b) :unknown))

(defun u-size (r)
  (declare (xargs :guard t))
  (if (range-p r) (range-size r) :unknown))

(defun u-in-range (x r)
  (declare (xargs :guard t))
  (if (and (integerp x) (range-p r)) (span-within x (+ 1 x) r) :unknown))

; ---------------------------------------------------------------- records, lists and states

(defun u-lookup (key alist)
  (declare (xargs :guard t))
  (cond ((atom alist) :unknown)
        ((and (consp (car alist)) (equal (caar alist) key)) (cdar alist))
        (t (u-lookup key (cdr alist)))))

(defun u-read (key states)
  (declare (xargs :guard t))
  (if (consp states) (u-lookup key (car states)) :unknown))

; What old(e) looks at: the earlier state, before which nothing is known.
(defun u-before (states)
  (declare (xargs :guard t))
  (if (consp states) (cons (cdr states) nil) :unknown))

(defun u-one-of (x set)
  (declare (xargs :guard t))
  (if (atom set) nil (u-or (u-equal x (car set)) (u-one-of x (cdr set)))))

(defun u-count (filter body rest)
  (declare (xargs :guard t))
  (let ((counts (u-and filter body)))
    (cond ((equal counts t) (u+ 1 rest))
          ((equal counts nil) rest)
          (t :unknown))))

; ---------------------------------------------------------------- what every operator answers

(defthm u-three-p-of-operators
  (and (u-three-p (u-boolean a))
       (u-three-p (u-not a))
       (u-three-p (u-and a b))
       (u-three-p (u-or a b))
       (u-three-p (u-implies a b))
       (u-three-p (u-equal a b))
       (u-three-p (u-iff a b))
       (u-three-p (u< a b))
       (u-three-p (u<= a b))))

(defthm u-three-p-of-range-operators
  (and (u-three-p (u-overlaps a b))
       (u-three-p (u-disjoint a b))
       (u-three-p (u-within a b))
       (u-three-p (u-in-range a b))))

(defthm u-three-p-of-u-if
  (implies (and (u-three-p a) (u-three-p b))
           (u-three-p (u-if c a b))))

(defthm u-three-p-of-u-one-of
  (u-three-p (u-one-of x set)))

(in-theory (disable u-three-p u-boolean u-integer u-not u-and u-or u-implies u-equal u-iff u< u<=
                    u-overlaps u-disjoint u-within u-in-range u-if u-one-of))

; ---------------------------------------------------------------- quantifiers and invariants

(defun joined-symbol (name suffix)
  (declare (xargs :guard (and (symbolp name) (stringp suffix))))
  (intern-in-package-of-symbol (concatenate 'string (symbol-name name) suffix) name))

; NAME of a list and the free variables folds COMBINE over what CONNECT makes of the filter and the body for each
; element X, from AT-THE-END on; of an unknown list it is unknown.
(defmacro defquantifier (name x free such-that holds &key at-the-end combine connect)
  (let ((walk (joined-symbol name "-WALK")))
    `(progn
       (defun ,walk (quantified ,@free)
         (declare (xargs :guard t :measure (acl2-count quantified))
                  (ignorable ,@free))
         (if (atom quantified)
             ,at-the-end
           (,combine (let ((,x (car quantified)))
                       (declare (ignorable ,x))
                       (,connect ,such-that ,holds))
                     (,walk (cdr quantified) ,@free))))
       (defun ,name (quantified ,@free)
         (declare (xargs :guard t))
         (if (equal quantified :unknown) :unknown (,walk quantified ,@free)))
       (defthm ,(joined-symbol name "-IS-THREE-VALUED")
         (u-three-p (,name quantified ,@free))
         :hints (("Goal" :do-not-induct t :expand ((,walk quantified ,@free)))))
       (in-theory (disable ,name)))))

; (defforall NAME X (FREE ...) :such-that FILTER :holds BODY): NAME says whether all elements X that pass FILTER
; hold; NAME-FIRST-BAD, from 0, which one is the first not to.
(defmacro defforall (name x free &key (such-that 't) holds)
  (let ((bad (joined-symbol name "-FIRST-BAD"))
        (bad-walk (joined-symbol name "-FIRST-BAD-WALK")))
    `(progn
       (defquantifier ,name ,x ,free ,such-that ,holds
         :at-the-end t :combine u-and :connect u-implies)
       (defun ,bad-walk (quantified number ,@free)
         (declare (xargs :guard (acl2-numberp number) :measure (acl2-count quantified))
                  (ignorable ,@free))
         (cond ((atom quantified) nil)
               ((equal (let ((,x (car quantified)))
                         (declare (ignorable ,x))
                         (u-implies ,such-that ,holds))
                       nil)
                number)
               (t (,bad-walk (cdr quantified) (+ 1 number) ,@free))))
       (defun ,bad (quantified ,@free)
         (declare (xargs :guard t))
         (,bad-walk quantified 0 ,@free)))))

; The same for "there is one that".
(defmacro defexists (name x free &key (such-that 't) holds)
  `(defquantifier ,name ,x ,free ,such-that ,holds
     :at-the-end nil :combine u-or :connect u-and))

; How many there are that; unknown where it is not known of one.
(defmacro defcount (name x free &key (such-that 't) (holds 't))
  (let ((walk (joined-symbol name "-WALK")))
    `(progn
       (defun ,walk (quantified ,@free)
         (declare (xargs :guard t :measure (acl2-count quantified))
                  (ignorable ,@free))
         (if (atom quantified)
             0
           (u-count (let ((,x (car quantified))) (declare (ignorable ,x)) ,such-that)
                    (let ((,x (car quantified))) (declare (ignorable ,x)) ,holds)
                    (,walk (cdr quantified) ,@free))))
       (defun ,name (quantified ,@free)
         (declare (xargs :guard t))
         (if (equal quantified :unknown) :unknown (,walk quantified ,@free))))))

; (defdefinition NAME (PARAMETER ...) :is-boolean T :body FORM): a definition as a function of its
; parameters and the states.
(defmacro defdefinition (name parameters &key is-boolean body)
  `(progn
     (defun ,name (,@parameters states)
       (declare (xargs :guard t) (ignorable ,@parameters states))
       ,body)
     ,@(and is-boolean
            `((defthm ,(joined-symbol name "-IS-THREE-VALUED")
                (u-three-p (,name ,@parameters states))
                :hints (("Goal" :do-not-induct t)))))
     (in-theory (disable ,name))))

; (definvariant NAME :on (EVENT ...) :doc TEXT :source TEXT :holds FORM-OVER-STATES :first-bad FORM):
; the predicate NAME of states, that it is three-valued, and its row in the table INVARIANTS.
(defmacro definvariant (name &key on doc source holds (first-bad 'nil))
  (let ((bad (joined-symbol name "-FIRST-BAD-ELEMENT")))
    `(progn
       (defun ,name (states)
         (declare (xargs :guard t) (ignorable states))
         ,holds)
       (defthm ,(joined-symbol name "-IS-THREE-VALUED")
         (u-three-p (,name states))
         :hints (("Goal" :do-not-induct t)))
       (in-theory (disable ,name))
       (defun ,bad (states)
         (declare (xargs :guard t) (ignorable states))
         ,first-bad)
       (table invariants ',name '(:on ,on :doc ,doc :source ,source)))))
