using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>A kernel's text taken apart: instructions with numbered registers, and where its labels are.</summary>
internal sealed class PtxText
{
    private static readonly SearchValues<char> s_brackets = SearchValues.Create("[]{},");

    private const int MostKept = 64;

    private static readonly ConcurrentDictionary<string, PtxText> s_kept = [];

    // Those with the same letters are numbered one after another.
    private readonly Dictionary<string, (int First, int Count)> _registers = [];
    private readonly Dictionary<string, int> _labels = [];
    private readonly Dictionary<string, (string Name, string[] Parts)> _opcodes = [];

    public PtxText(string text)
    {
        var instructions = new List<Instruction>();
        bool inside = false;
        foreach (ReadOnlySpan<char> raw in text.AsSpan().EnumerateLines())
        {
            int comment = raw.IndexOf("//", StringComparison.Ordinal);
            ReadOnlySpan<char> line = (comment < 0 ? raw : raw[..comment]).Trim();
            if (line is "{" or "}")
            {
                inside = line is "{";
            }
            else if (inside && line.EndsWith(":", StringComparison.Ordinal))
            {
                _labels.Add(line[..^1].ToString(), instructions.Count);
            }
            else if (inside && line.StartsWith(".reg", StringComparison.Ordinal))
            {
                Declare(line);
            }
            else if (inside && line.Length > 0)
            {
                instructions.Add(Parse(line, instructions.Count));
            }
        }

        Instructions = [.. instructions];
        foreach (Instruction instruction in Instructions)
        {
            if (instruction.Label is { } label)
            {
                instruction.Target = _labels[label];
            }
        }
    }

    public Instruction[] Instructions { get; }

    public int Registers { get; private set; }

    /// <summary>A text, which is taken apart once where it comes again soon.</summary>
    public static PtxText Of(string text)
    {
        if (!s_kept.TryGetValue(text, out PtxText? known))
        {
            if (s_kept.Count >= MostKept)
            {
                s_kept.Clear();
            }

            s_kept[text] = known = new PtxText(text);
        }

        return known;
    }

    /// <summary>As in <c>.reg .b32 %r&lt;12&gt;;</c></summary>
    private void Declare(ReadOnlySpan<char> line)
    {
        int name = line.IndexOf('%') + 1, count = line.IndexOf('<');
        int registers = int.Parse(line[(count + 1)..line.IndexOf('>')], CultureInfo.InvariantCulture);
        _registers.Add(line[name..count].ToString(), (Registers, registers));
        Registers += registers;
    }

    /// <summary>Number of a register, or -1.</summary>
    private int Register(ReadOnlySpan<char> text)
    {
        if (text[0] != '%')
        {
            return -1;
        }

        int digits = text.IndexOfAnyInRange('0', '9');
        return digits > 0 && int.TryParse(text[digits..], NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && _registers.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text[1..digits], out (int First, int Count) named) && number < named.Count
            ? named.First + number
            : -1;
    }

    private int Known(ReadOnlySpan<char> text) => Register(text) is >= 0 and var register ? register : throw new NotSupportedException($"{text} is no register");

    private Instruction Parse(ReadOnlySpan<char> line, int index)
    {
        if (line[^1] != ';')
        {
            throw new NotSupportedException($"{line}: no instruction");
        }

        line = line[..^1];
        int guard = -1;
        bool negated = false;
        if (line[0] == '@')
        {
            int end = line.IndexOf(' ');
            negated = line[1] == '!';
            guard = Known(line[(negated ? 2 : 1)..end]);
            line = line[(end + 1)..].Trim();
        }

        int space = line.IndexOf(' ');
        (string opcode, string[] parts) = Opcode(space < 0 ? line : line[..space]);
        ReadOnlySpan<char> rest = space < 0 ? [] : line[(space + 1)..];
        string? label = parts[0] == "bra" ? rest.Trim().ToString() : null;
        return new Instruction(line.ToString(), opcode, parts, guard, negated, label is null ? Operands(rest) : []) { Label = label, Index = index };
    }

    private (string Name, string[] Parts) Opcode(ReadOnlySpan<char> text)
    {
        if (!_opcodes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text, out (string Name, string[] Parts) opcode))
        {
            string name = text.ToString();
            _opcodes.Add(name, opcode = (name, name.Split('.')));
        }

        return opcode;
    }

    /// <summary>Operands between commas, of which those in brackets or braces are one.</summary>
    private Arg[][] Operands(ReadOnlySpan<char> text)
    {
        var operands = new List<Arg[]>(4);
        for (text = text.TrimStart(", "); text.Length > 0; text = text.TrimStart(", "))
        {
            int end = text[0] switch
            {
                '[' => text.IndexOf(']') + 1,
                '{' => text.IndexOf('}') + 1,
                _ => text.IndexOfAny(',', ' ') is >= 0 and var at ? at : text.Length,
            };
            ReadOnlySpan<char> operand = text[..end];
            operands.Add(operand.Contains('{') ? Several(operand) : [ParseArg(operand)]);
            text = text[end..];
        }

        return [.. operands];
    }

    private Arg[] Several(ReadOnlySpan<char> text)
    {
        var args = new List<Arg>();
        foreach (Range range in text.SplitAny(s_brackets))
        {
            if (text[range].Trim() is { Length: > 0 } arg)
            {
                args.Add(ParseArg(arg));
            }
        }

        return [.. args];
    }

    private Arg ParseArg(ReadOnlySpan<char> text)
    {
        // Of two results the second: elect's first is not used.
        text = text[(text.LastIndexOf('|') + 1)..];
        if (text[0] == '[')
        {
            text = text[1..^1];
            int plus = text.IndexOf('+');
            long offset = plus < 0 ? 0 : long.Parse(text[(plus + 1)..], CultureInfo.InvariantCulture);
            ReadOnlySpan<char> start = plus < 0 ? text : text[..plus];
            return start is "arguments" ? new Arg(-1, offset, null) : new Arg(Known(start), offset, null);
        }

        if (Register(text) is >= 0 and var register)
        {
            return new Arg(register, 0, null);
        }

        if (text.StartsWith("0f", StringComparison.Ordinal))
        {
            return new Arg(-1, uint.Parse(text[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture), null);
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            ? new Arg(-1, number, null)
            : new Arg(-1, 0, text.ToString());
    }

    /// <summary>A register (or -1), a number or an offset from the register, or a name.</summary>
    internal readonly record struct Arg(int Register, long Number, string? Name);

    internal sealed class Instruction(string text, string opcode, string[] parts, int guard, bool negated, Arg[][] operands)
    {
        public string Text { get; } = text;

        public string Opcode { get; } = opcode;

        public string[] Parts { get; } = parts;

        /// <summary>Predicate register, or -1.</summary>
        public int Guard { get; } = guard;

        public bool Negated { get; } = negated;

        /// <summary>Operands; one in braces has several parts.</summary>
        public Arg[][] Operands { get; } = operands;

        public string? Label { get; init; }

        /// <summary>Where it stands among the instructions.</summary>
        public int Index { get; init; }

        public int Target { get; set; }
    }
}
