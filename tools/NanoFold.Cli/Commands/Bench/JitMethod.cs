using System.Globalization;
using System.Text.RegularExpressions;

namespace NanoFold.Cli.Commands.Bench;

/// <summary>A method in the JIT's listing.</summary>
/// <param name="Name">With its class and type arguments.</param>
/// <param name="Bytes">Of machine code.</param>
/// <param name="Loops">The innermost ones.</param>
/// <param name="Text">Its lines.</param>
internal sealed partial record JitMethod(string Name, int Bytes, IReadOnlyList<JitLoop> Loops, string Text)
{
    /// <summary>The name without the namespaces that all share.</summary>
    public string ShortName => Name.Replace("NanoFold.Kernels.Cpu.", "").Replace("NanoFold.Kernels.Lanes.", "").Replace("NanoFold.Engine.Ops.", "")
        .Replace("System.Runtime.Intrinsics.", "").Replace("System.Single", "float") is var name && name.LastIndexOf('(') is > 0 and var end ? name[..end] : name;

    /// <summary>Reads what <c>DOTNET_JitDisasm</c> writes.</summary>
    public static IEnumerable<JitMethod> Parse(IReadOnlyList<string> lines)
    {
        int start = -1;
        for (int i = 0; i < lines.Count; i++)
        {
            if (Header().IsMatch(lines[i]))
            {
                start = i;
            }
            else if (start >= 0 && Total().Match(lines[i]) is { Success: true } total)
            {
                string[] text = [.. lines.Skip(start).Take(i - start + 1)];
                int bytes = int.Parse(total.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
                yield return new JitMethod(Header().Match(text[0]).Groups[1].Value, bytes, JitLoop.Innermost(text), string.Join('\n', text));
                start = -1;
            }
        }
    }

    [GeneratedRegex(@"^; Assembly listing for method (.+?)( \([\w ]+\))?$")]
    private static partial Regex Header();

    [GeneratedRegex(@"^; Total bytes of code (\d+)")]
    private static partial Regex Total();
}
