using System.Collections.Concurrent;

namespace NanoFold.Engine.Text;

/// <summary>
/// A regular expression that finds, in linear time, what a backtracking matcher would: at the leftmost place the first alternative, repetitions
/// as written. It is a deterministic automaton whose states are ordered lists of threads, made as texts need them. A transition is told
/// the class of the next character before it is taken, so that looks at neighbors cost nothing.
/// </summary>
/// <remarks>
/// Bytes that are not UTF-8 are one character of no class. Where an attempt ran on beyond its match, the states it came through are kept by the
/// searcher: a later one that comes to the same state at the same place has nothing more to find there. So runs of one character stay linear.
/// </remarks>
internal sealed class Pattern
{
    private const int Unknown = -1;
    private const int Dead = 0;
    private const int MostStates = 20_000;

    private static readonly ConcurrentDictionary<(string, PatternDialect), Pattern> s_known = new();

    private readonly object _gate = new();
    private readonly PatternProgram _program;
    private readonly CharacterClasses _classes;
    private readonly string _source;
    private readonly Dictionary<string, int> _states = [];
    private readonly List<int[]> _threads = [];
    private readonly List<int> _before = [];
    private readonly int _stride;

    // States by what stands before the first character: of each class, or nothing; and where their rows begin.
    private readonly int[] _starts, _startRows;
    private readonly bool _behind;

    // Of state and class of the next character (or end): (where the row of the state after it begins << 1) | whether a match ends before it.
    private int[] _table;

    private Pattern(PatternNode node, string source)
    {
        _source = source;
        _program = new PatternProgram(node, source);
        _classes = new CharacterClasses(_program.Sets, source);
        _stride = _classes.Count + 1;
        _behind = _program.LooksBehind;
        _table = new int[_stride * 8];
        StateOf([], 0);

        _starts = [.. Enumerable.Range(0, _stride).Select(before => StateOf([0], _behind ? before : 0))];
        _startRows = [.. _starts.Select(state => state * _stride)];
    }

    /// <summary>The pattern of an expression; the same for the same text.</summary>
    /// <exception cref="UserException">It is not a regular expression, or has what is not supported.</exception>
    public static Pattern Of(string source, PatternDialect dialect) =>
        s_known.GetOrAdd((source, dialect), key => new Pattern(PatternParser.Parse(key.Item1, key.Item2), key.Item1));

    /// <summary>The pattern of an expression that is at hand as a tree.</summary>
    public static Pattern Of(PatternNode node, string name) => new(node, name);

    /// <summary>One character of a set.</summary>
    public static Pattern OfSet(CodePointSet set, string name) => new(new SetNode(set), name);

    /// <summary>
    /// Whether a text may be cut between an ASCII letter and a space without changing what is found in its halves. <paramref name="always"/>: and something
    /// found always ends there.
    /// </summary>
    public bool MayCutAfterLetters(out bool always)
    {
        always = true;
        int space = _classes.Ascii[' '];
        int[] letters = [.. Enumerable.Range(0, 128).Where(c => char.IsAsciiLetter((char)c)).Select(c => (int)_classes.Ascii[c]).Distinct()];
        lock (_gate)
        {
            var seen = new HashSet<int>(_starts);
            var open = new Queue<int>(seen);
            while (open.TryDequeue(out int state))
            {
                for (int value = 0; value < _classes.Count; value++)
                {
                    int next = (Transition(state, value) >> 1) / _stride;
                    if (letters.Contains(value))
                    {
                        int atSpace = Transition(next, space), atEnd = Transition(next, _classes.Count);
                        if (_behind || atSpace >> 1 != Dead || (atSpace & 1) != (atEnd & 1) || _threads.Count > 2000)
                        {
                            return false;
                        }

                        // An attempt that gives up leaves the letter to those after it, at last to one that begins with it.
                        always &= (atSpace & 1) == 1 || !_starts.Contains(state);
                    }

                    if (seen.Add(next))
                    {
                        open.Enqueue(next);
                    }
                }
            }
        }

        return true;
    }

    /// <summary>The next match from <paramref name="from"/> on. It may be empty.</summary>
    public bool Find(ReadOnlySpan<byte> text, int from, PatternTail tail, out int start, out int end)
    {
        for (start = from; start < text.Length;)
        {
            end = MatchAt(text, start, tail);
            if (end >= 0)
            {
                return true;
            }

            CodePoints.Read(text, start, out int length);
            start += length;
        }

        end = -1;
        return false;
    }

    /// <summary>Where the match that begins at <paramref name="start"/> ends; −1 where there is none.</summary>
    public int MatchAt(ReadOnlySpan<byte> text, int start, PatternTail tail)
    {
        int[] table = Volatile.Read(ref _table);
        ReadOnlySpan<byte> ascii = _classes.Ascii;
        int row = _startRows[_behind ? ClassBefore(text, start) : 0];
        int end = -1;
        int at = start;
        tail.Begin();
        while (at < text.Length)
        {
            int value = text[at];
            int length = 1;
            value = value < 0x80 ? ascii[value] : _classes.Of(CodePoints.Read(text, at, out length));
            int entry = row + value;
            int transition = (uint)entry < (uint)table.Length ? table[entry] : Unknown;
            if (transition == Unknown)
            {
                (transition, table) = Make(row, value);
            }

            end = (transition & 1) != 0 ? at : end;
            row = transition >> 1;
            if (row == Dead)
            {
                break;
            }

            at += length;
            if (((at ^ (at - length)) & ~PatternTail.Grid) != 0 && tail.Passed(at, row))
            {
                break;
            }
        }

        if (at == text.Length && row != Dead)
        {
            int last = row + _classes.Count;
            int finish = last < table.Length ? table[last] : Unknown;
            if (finish == Unknown)
            {
                (finish, _) = Make(row, _classes.Count);
            }

            end = (finish & 1) != 0 ? text.Length : end;
        }

        if (at - Math.Max(end, start) > PatternTail.Grid)
        {
            tail.Keep(end, at - Math.Max(end, start), _source);
        }

        return end;
    }

    private int ClassBefore(ReadOnlySpan<byte> text, int start) =>
        start == 0 ? _classes.Count : _classes.Of(CodePoints.Read(text, CodePoints.Before(text, start), out _));

    private (int Transition, int[] Table) Make(int row, int value)
    {
        lock (_gate)
        {
            int transition = Transition(row / _stride, value);
            return (transition, _table);
        }
    }

    private int Transition(int state, int value)
    {
        int entry = state * _stride + value;
        if (_table[entry] != Unknown)
        {
            return _table[entry];
        }

        var closed = new List<int>();
        bool found = Close(_threads[state], _before[state], value, closed);
        int next = Dead;
        if (value < _classes.Count)
        {
            var threads = new List<int>();
            foreach (int step in closed.Where(step => _classes.Holds(value, _program.Steps[step].A) && !threads.Contains(step + 1)))
            {
                threads.Add(step + 1);
            }

            next = threads.Count == 0 ? Dead : StateOf([.. threads], _behind ? value : 0);
        }

        int made = (next * _stride << 1) | (found ? 1 : 0);
        Volatile.Write(ref _table[entry], made);
        return made;
    }

    // The steps that take a character, in order of preference, up to the one that has found the expression.
    private bool Close(int[] threads, int before, int next, List<int> closed)
    {
        var seen = new HashSet<int>();
        var open = new Stack<int>(Enumerable.Reverse(threads));
        while (open.TryPop(out int at))
        {
            if (!seen.Add(at))
            {
                continue;
            }

            (PatternOp op, int a, int b) = _program.Steps[at];
            switch (op)
            {
                case PatternOp.Found:
                    return true;
                case PatternOp.Take:
                    closed.Add(at);
                    break;
                case PatternOp.Jump:
                    open.Push(a);
                    break;
                case PatternOp.Split:
                    open.Push(b);
                    open.Push(a);
                    break;
                default:
                    int neighbor = op == PatternOp.Ahead ? next : before;
                    if (neighbor == _classes.Count ? b == 1 : _classes.Holds(neighbor, a))
                    {
                        open.Push(at + 1);
                    }

                    break;
            }
        }

        return false;
    }

    private int StateOf(int[] threads, int before)
    {
        string key = $"{before}:{string.Join(',', threads)}";
        if (_states.TryGetValue(key, out int state))
        {
            return state;
        }

        state = _threads.Count;
        if (state == MostStates)
        {
            throw PatternClassParser.Bad(_source, $"needs more than {MostStates} states");
        }

        _states[key] = state;
        _threads.Add(threads);
        _before.Add(before);
        int needed = (state + 1) * _stride;
        if (needed > _table.Length)
        {
            int[] larger = new int[needed * 2];
            _table.CopyTo(larger, 0);
            Volatile.Write(ref _table, larger);
        }

        _table.AsSpan(state * _stride, _stride).Fill(Unknown);
        return state;
    }
}
