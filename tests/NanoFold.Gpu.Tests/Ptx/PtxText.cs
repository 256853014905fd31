using System.Globalization;
using System.Text.RegularExpressions;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>A kernel's text taken apart: instructions with numbered registers, and where its labels are.</summary>
internal sealed partial class PtxText
{
    private static readonly char[] s_brackets = ['[', ']', '{', '}', ','];

    private readonly Dictionary<string, int> _registers = [];
    private readonly Dictionary<string, int> _labels = [];

    public PtxText(string text)
    {
        var instructions = new List<Instruction>();
        bool inside = false;
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.Split("//")[0].Trim();
            if (line is "{" or "}")
            {
                inside = line == "{";
            }
            else if (inside && line.EndsWith(':'))
            {
                _labels.Add(line[..^1], instructions.Count);
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
            if (instruction.Opcode.StartsWith("bra", StringComparison.Ordinal))
            {
                instruction.Target = _labels[instruction.Label!];
            }
        }
    }

    public Instruction[] Instructions { get; }

    public int Registers => _registers.Count;

    [GeneratedRegex(@"%(?<name>[a-z]+)<(?<count>\d+)>")]
    private static partial Regex Declaration();

    private void Declare(string line)
    {
        Match match = Declaration().Match(line);
        for (int i = 0; i < int.Parse(match.Groups["count"].Value, CultureInfo.InvariantCulture); i++)
        {
            _registers.Add($"%{match.Groups["name"].Value}{i}", _registers.Count);
        }
    }

    private Instruction Parse(string line, int index)
    {
        Assert.That(line, Does.EndWith(";"));
        line = line[..^1];
        int guard = -1;
        bool negated = false;
        if (line[0] == '@')
        {
            int end = line.IndexOf(' ', StringComparison.Ordinal);
            negated = line[1] == '!';
            guard = _registers[line[(negated ? 2 : 1)..end]];
            line = line[(end + 1)..].Trim();
        }

        int space = line.IndexOf(' ', StringComparison.Ordinal);
        string opcode = space < 0 ? line : line[..space];
        var operands = new List<Arg[]>();
        string rest = space < 0 ? "" : line[(space + 1)..];
        string? label = opcode.StartsWith("bra", StringComparison.Ordinal) ? rest.Trim() : null;
        if (label is null)
        {
            foreach (Match match in Operands().Matches(rest))
            {
                string value = match.Value.Trim();
                operands.Add(value[0] == '{' || value.Contains('{', StringComparison.Ordinal)
                    ? [.. value.Split(s_brackets, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(ParseArg)]
                    : [ParseArg(value)]);
            }
        }

        return new Instruction(line, opcode, guard, negated, [.. operands]) { Label = label, Index = index };
    }

    [GeneratedRegex(@"\[[^\]]*\]|\{[^}]*\}|[^,\s]+")]
    private static partial Regex Operands();

    private Arg ParseArg(string text)
    {
        // Of two results the second: elect's first is not used.
        text = text.Split('|')[^1];
        if (text[0] == '[')
        {
            string[] parts = text[1..^1].Split('+');
            long offset = parts.Length > 1 ? long.Parse(parts[1], CultureInfo.InvariantCulture) : 0;
            return parts[0] == "arguments" ? new Arg(-1, offset, null) : new Arg(_registers[parts[0]], offset, null);
        }

        if (_registers.TryGetValue(text, out int register))
        {
            return new Arg(register, 0, null);
        }

        if (text.StartsWith("0f", StringComparison.Ordinal))
        {
            return new Arg(-1, uint.Parse(text[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture), null);
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            ? new Arg(-1, number, null)
            : new Arg(-1, 0, text);
    }

    /// <summary>A register (or -1), a number or an offset from the register, or a name.</summary>
    internal readonly record struct Arg(int Register, long Number, string? Name);

    internal sealed class Instruction(string text, string opcode, int guard, bool negated, Arg[][] operands)
    {
        public string Text { get; } = text;

        public string Opcode { get; } = opcode;

        public string[] Parts { get; } = opcode.Split('.');

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
