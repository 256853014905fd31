using System.Text.RegularExpressions;

namespace NanoFold.Cli.Commands.Bench;

/// <summary>A loop of machine code (x64 or Arm64): what lies between a label and a jump back to it.</summary>
/// <param name="Label">Where it begins.</param>
/// <param name="Instructions">One round, if no branch inside is taken.</param>
/// <param name="FusedMultiplyAdds">Of those.</param>
/// <param name="Loads">Instructions that read memory.</param>
/// <param name="Stores">Instructions that write memory.</param>
/// <param name="Calculates">Whether it uses vector or floating-point registers and calls nothing.</param>
internal sealed partial record JitLoop(string Label, int Instructions, int FusedMultiplyAdds, int Loads, int Stores, bool Calculates)
{
    /// <summary>The loops that hold no other.</summary>
    public static IReadOnlyList<JitLoop> Innermost(string[] lines)
    {
        var labels = new Dictionary<string, int>();
        var loops = new Dictionary<string, (int Start, int End)>();
        for (int i = 0; i < lines.Length; i++)
        {
            if (LabelLine().Match(lines[i]) is { Success: true } label)
            {
                labels[label.Groups[1].Value] = i;
            }
            else if (Jump().Match(lines[i]) is { Success: true } jump && labels.TryGetValue(jump.Groups[1].Value, out int start))
            {
                // Of several jumps back the last ends the loop.
                loops[jump.Groups[1].Value] = (start, i);
            }
        }

        return
        [
            .. loops.Where(l => !loops.Values.Any(other => other != l.Value && other.Start >= l.Value.Start && other.End <= l.Value.End))
                .OrderBy(l => l.Value.Start)
                .Select(l => Of(l.Key, lines[l.Value.Start..(l.Value.End + 1)])),
        ];
    }

    private static JitLoop Of(string label, string[] lines)
    {
        Match[] instructions = [.. lines.Select(line => Instruction().Match(line)).Where(m => m.Success && m.Groups[1].Value != "align")];
        int fused = 0, loads = 0, stores = 0;
        bool calculates = false, calls = false;
        foreach (Match instruction in instructions)
        {
            string name = instruction.Groups[1].Value, operands = instruction.Groups[2].Value;
            fused += Fused().IsMatch(name) ? 1 : 0;
            stores += Writes(name, operands) ? 1 : 0;
            loads += Reads(name, operands) ? 1 : 0;
            calculates |= VectorRegister().IsMatch(operands);
            calls |= name is "call" or "bl" or "blr";
        }

        return new JitLoop(label, instructions.Length, fused, loads, stores, calculates && !calls);
    }

    private static bool Writes(string name, string operands) => name.StartsWith("st", StringComparison.Ordinal)
        || (Moves().IsMatch(name) && operands.Split(',')[0].Contains(" ptr ", StringComparison.Ordinal));

    private static bool Reads(string name, string operands) => name.StartsWith("ld", StringComparison.Ordinal)
        || (operands.Contains(" ptr ", StringComparison.Ordinal) && !name.StartsWith("prefetch", StringComparison.Ordinal) && !Writes(name, operands));

    [GeneratedRegex(@"^(G_M\w+_IG\d+):")]
    private static partial Regex LabelLine();

    [GeneratedRegex(@"^\s+(?:j|b|cb|tb)\w*\.?\w*\s.*?(G_M\w+_IG\d+)\s*$")]
    private static partial Regex Jump();

    [GeneratedRegex(@"^\s+([a-z][\w.]*)\s*(.*)$")]
    private static partial Regex Instruction();

    [GeneratedRegex("fn?m(add|sub|la|ls)")]
    private static partial Regex Fused();

    [GeneratedRegex("^v?mov|^vextract")]
    private static partial Regex Moves();

    [GeneratedRegex(@"\b[xyz]mm\d+|\bv\d+\.\w+|\b[sdq]\d+\b")]
    private static partial Regex VectorRegister();
}
