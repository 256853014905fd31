using System.Buffers;
using System.Globalization;
using System.Text.RegularExpressions;

namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>A program's text taken apart: what it declares, its instructions and labels. It is of one entry, as the writer and ILGPU make them.</summary>
internal sealed partial class PtxListing
{
    private const string Between = ", \t";

    private static readonly SearchValues<char> s_name = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");

    private readonly Dictionary<string, int> _registers = [];
    private readonly HashSet<string> _opcodes = [];
    private readonly List<int> _words = [];
    private readonly List<PtxLine> _lines = [];
    private readonly List<string> _faults = [];

    public PtxListing(string text)
    {
        Header(text);
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
                if (!Labels.TryAdd(line[..^1].ToString(), _lines.Count))
                {
                    _faults.Add($"label {line[..^1]} stands twice");
                }
            }
            else if (inside && line.StartsWith(".", StringComparison.Ordinal))
            {
                Declare(line.ToString());
            }
            else if (inside && line.Length > 0)
            {
                _lines.Add(Parse(line.TrimEnd(';').ToString()));
            }
        }
    }

    /// <summary>Of the PTX that it is written in: 7.8 is 78.</summary>
    public int Version { get; private set; }

    /// <summary>Compute capability that it asks for: 80 or 90, or 90 of exactly such devices (<c>sm_90a</c>).</summary>
    public int Target { get; private set; }

    /// <summary>Whether it is for devices of <see cref="Target"/> only.</summary>
    public bool IsForThisTargetOnly { get; private set; }

    /// <summary>Of a block, 0 where it is not said.</summary>
    public int MostThreads { get; private set; }

    /// <summary>Blocks that a multiprocessor must be able to hold, 0 where it is not said.</summary>
    public int LeastBlocks { get; private set; }

    /// <summary>Blocks of a cluster; 1 where it is not said.</summary>
    public int Cluster { get; private set; }

    /// <summary>Registers that a thread takes for itself when others gave theirs away (<c>setmaxnreg.inc</c>), 0 where none does.</summary>
    public int TakenRegisters { get; private set; }

    /// <summary>Of shared memory that it declares with a size.</summary>
    public int StaticSharedBytes { get; private set; }

    /// <summary>Instructions in their order.</summary>
    public IReadOnlyList<PtxLine> Lines => _lines;

    /// <summary>The instruction that follows a label.</summary>
    public Dictionary<string, int> Labels { get; } = [];

    /// <summary>Registers declared, of every kind.</summary>
    public int Registers => _registers.Count;

    /// <summary>What could not be read: registers that are not declared, labels that stand twice.</summary>
    public IReadOnlyList<string> Faults => _faults;

    /// <summary>32-bit registers of the device that a register takes: two of 64 bits, none of a predicate.</summary>
    public int Words(int register) => _words[register];

    public string Name(int register) => _registers.First(r => r.Value == register).Key;

    private void Header(string text)
    {
        Match match = VersionLine().Match(text);
        Version = match.Success ? (10 * Number(match, "major")) + Number(match, "minor") : 0;
        match = TargetLine().Match(text);
        Target = match.Success ? Number(match, "number") : 0;
        IsForThisTargetOnly = match.Groups["only"].Length > 0;
        match = ThreadsLine().Match(text);
        MostThreads = match.Success ? match.Groups["n"].Captures.Aggregate(1, (product, n) => product * int.Parse(n.Value, CultureInfo.InvariantCulture)) : 0;
        match = BlocksLine().Match(text);
        LeastBlocks = match.Success ? Number(match, "n") : 0;
        match = ClusterLine().Match(text);
        Cluster = match.Success ? match.Groups["n"].Captures.Aggregate(1, (product, n) => product * int.Parse(n.Value, CultureInfo.InvariantCulture)) : 1;
        TakenRegisters = TakenLine().Matches(text).Select(m => Number(m, "n")).DefaultIfEmpty(0).Max();
        StaticSharedBytes = SharedArray().Matches(text).Sum(m => Number(m, "bytes"));
    }

    private void Declare(string line)
    {
        Match match = RegisterLine().Match(line);
        if (!match.Success)
        {
            return;
        }

        string type = match.Groups["type"].Value, name = match.Groups["name"].Value;
        int words = type == "pred" ? 0 : type.EndsWith("64", StringComparison.Ordinal) ? 2 : 1;
        for (int i = 0; i < Number(match, "count"); i++)
        {
            _registers.Add(string.Create(CultureInfo.InvariantCulture, $"{name}{i}"), _words.Count);
            _words.Add(words);
        }
    }

    private PtxLine Parse(string text)
    {
        ReadOnlySpan<char> line = text;
        int guard = -1;
        bool isNegated = line.StartsWith("@!", StringComparison.Ordinal);
        if (line[0] == '@')
        {
            int end = line.IndexOfAny(' ', '\t');
            guard = Register(line[(isNegated ? 2 : 1)..end], text);
            line = line[end..].Trim();
        }

        int space = line.IndexOfAny(' ', '\t');
        string opcode = Opcode(space < 0 ? line : line[..space]);
        ReadOnlySpan<char> rest = space < 0 ? [] : line[space..].Trim();
        if (opcode.StartsWith("bra", StringComparison.Ordinal))
        {
            return new PtxLine(text, opcode, guard, isNegated, [], guard < 0 ? [] : [guard], rest.ToString());
        }

        var writes = new List<int>();
        var reads = new List<int>();
        int results = PtxOpcodes.Find(opcode)?.Results ?? 0;
        for (int operand = 0; (rest = rest.TrimStart(Between)).Length > 0; operand++)
        {
            int end = rest[0] switch
            {
                '[' => rest.IndexOf(']') + 1,
                '{' => rest.IndexOf('}') + 1,
                _ => rest.IndexOfAny(Between),
            };
            end = end > 0 ? end : rest.Length;

            // What an address is made of is read, wherever it stands.
            Take(rest[..end], operand < results && rest[0] != '[' ? writes : reads, text);
            rest = rest[end..];
        }

        if (guard >= 0)
        {
            reads.Add(guard);
        }

        return new PtxLine(text, opcode, guard, isNegated, [.. writes], [.. reads], null);
    }

    /// <summary>The registers that an operand names.</summary>
    private void Take(ReadOnlySpan<char> operand, List<int> registers, string line)
    {
        for (int at = operand.IndexOf('%'); at >= 0; at = operand.IndexOf('%'))
        {
            operand = operand[at..];
            int end = operand[1..].IndexOfAnyExcept(s_name) + 1;
            end = end > 0 ? end : operand.Length;
            if (Register(operand[..end], line) is >= 0 and var register)
            {
                registers.Add(register);
            }

            operand = operand[end..];
        }
    }

    private string Opcode(ReadOnlySpan<char> text)
    {
        HashSet<string>.AlternateLookup<ReadOnlySpan<char>> known = _opcodes.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!known.TryGetValue(text, out string? opcode))
        {
            known.Add(text);
            known.TryGetValue(text, out opcode);
        }

        return opcode!;
    }

    private int Register(ReadOnlySpan<char> name, string line)
    {
        if (_registers.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out int number))
        {
            return number;
        }

        if (!SpecialRegister().IsMatch(name))
        {
            _faults.Add($"register {name} is not declared: {line}");
        }

        return -1;
    }

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^\.version (?<major>\d+)\.(?<minor>\d+)", RegexOptions.Multiline)]
    private static partial Regex VersionLine();

    [GeneratedRegex(@"^\.target sm_(?<number>\d+)(?<only>[af]?)", RegexOptions.Multiline)]
    private static partial Regex TargetLine();

    [GeneratedRegex(@"^\s*\.maxntid (?<n>\d+)(, ?(?<n>\d+))*", RegexOptions.Multiline)]
    private static partial Regex ThreadsLine();

    [GeneratedRegex(@"^\s*\.minnctapersm (?<n>\d+)", RegexOptions.Multiline)]
    private static partial Regex BlocksLine();

    [GeneratedRegex(@"^\s*\.reqnctapercluster (?<n>\d+)(, ?(?<n>\d+))*", RegexOptions.Multiline)]
    private static partial Regex ClusterLine();

    [GeneratedRegex(@"setmaxnreg\.inc\S* (?<n>\d+)")]
    private static partial Regex TakenLine();

    [GeneratedRegex(@"\.shared \.align \d+ \.b8 \w+\[(?<bytes>\d+)\]")]
    private static partial Regex SharedArray();

    [GeneratedRegex(@"^\.reg\s+\.(?<type>\w+)\s+(?<name>%\w+?)<(?<count>\d+)>")]
    private static partial Regex RegisterLine();

    /// <summary>What the device sets.</summary>
    [GeneratedRegex(@"^%((n?tid|n?ctaid|cluster_n?ctaid|n?clusterid)\.[xyz]|laneid|warpid|nwarpid|smid|nsmid|gridid|lanemask_\w+|clock\w*|globaltimer\w*|cluster_(n?ctarank|nctaid\.[xyz])|dynamic_smem_size)$")]
    private static partial Regex SpecialRegister();
}
