using System.Text.RegularExpressions;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>A kernel as ILGPU writes it: declarations, statements that run once, and pieces of statements between labels, jumps and barriers.</summary>
internal sealed partial class KernelText
{
    private KernelText(string head, Dictionary<string, string> declared, List<string> start, List<KernelPiece> pieces)
        => (Head, Declared, Start, Pieces) = (head, declared, start, pieces);

    /// <summary>What stands before the kernel's body, its operands too.</summary>
    public string Head { get; }

    /// <summary>Types of variables by their names.</summary>
    public IReadOnlyDictionary<string, string> Declared { get; }

    /// <summary>What all threads begin with: operands, local memory. The same for all of them.</summary>
    public IReadOnlyList<string> Start { get; }

    /// <summary>The first one is where the kernel begins.</summary>
    public IReadOnlyList<KernelPiece> Pieces { get; }

    /// <exception cref="FormatException">It is written otherwise.</exception>
    public static KernelText Parse(string source)
    {
        int body = Kernel().Match(source) is { Success: true } kernel ? kernel.Index + kernel.Length : throw new FormatException("no kernel");
        string[] lines = [.. source[body..source.LastIndexOf('}')].Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0 && l != ";")];
        int first = Array.FindIndex(lines, l => Label().IsMatch(l));
        if (first < 0)
        {
            throw new FormatException("no label");
        }

        Dictionary<string, string> declared = [];
        List<string> start = [];
        foreach (string line in lines[..first])
        {
            if (Declaration().Match(line) is { Success: true } declaration)
            {
                declared.Add(declaration.Groups["name"].Value, declaration.Groups["type"].Value);
            }
            else
            {
                start.Add(line);
            }
        }

        return new(source[..body], declared, start, Cut(lines[first..]));
    }

    /// <summary>The variables that an expression names, in its order.</summary>
    public static IEnumerable<string> Names(string expression) => Name().Matches(expression).Select(m => m.Value);

    private static List<KernelPiece> Cut(string[] lines)
    {
        List<KernelPiece> pieces = [];
        Dictionary<string, int> labels = [];
        KernelPiece? piece = null;
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i];
            if (Label().Match(line) is { Success: true } label)
            {
                string name = label.Groups["name"].Value;
                labels.Add(name, pieces.Count);
                piece?.GoTo(name);
                pieces.Add(piece = new());
            }
            else if (piece is null)
            {
                throw new FormatException($"'{line}' is never reached");
            }
            else if (Jump().Match(line) is { Success: true } jump)
            {
                piece.GoTo(jump.Groups["name"].Value);
                piece = null;
            }
            else if (Condition().Match(line) is { Success: true } condition)
            {
                // Two jumps follow.
                piece.Condition = condition.Groups["name"].Value;
                piece.GoTo(Jump().Match(lines[++i]).Groups["name"].Value);
            }
            else if (line.StartsWith("work_group_barrier", StringComparison.Ordinal))
            {
                piece.AfterBarrier = pieces.Count;
                pieces.Add(piece = new());
            }
            else if (Return().IsMatch(line))
            {
                piece = null;
            }
            else
            {
                piece.Statements.Add(KernelStatement.Of(line));
            }
        }

        pieces.ForEach(p => p.Resolve(labels));
        return pieces;
    }

    [GeneratedRegex(@"^kernel void \w+\([^)]*\)\s*\{", RegexOptions.Multiline)]
    private static partial Regex Kernel();

    [GeneratedRegex(@"^(?!return\b)(?<type>(struct )?\w+) (?<name>var\d+);$")]
    private static partial Regex Declaration();

    [GeneratedRegex(@"^(?<name>L_\w+): ;$")]
    private static partial Regex Label();

    [GeneratedRegex(@"^goto (?<name>L_\w+);$")]
    private static partial Regex Jump();

    [GeneratedRegex(@"^if \((?<name>var\d+)\)$")]
    private static partial Regex Condition();

    [GeneratedRegex(@"^return\s*;$")]
    private static partial Regex Return();

    [GeneratedRegex(@"\bvar\d+\b")]
    private static partial Regex Name();
}
