using System.Text.RegularExpressions;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>A statement of a kernel.</summary>
/// <param name="Text">As it stands there.</param>
/// <param name="Target">The variable that it sets, of a struct that is built field by field too (its fields are set one after the other); or null.</param>
/// <param name="Read">Variables that it reads.</param>
internal sealed partial record KernelStatement(string Text, string? Target, string[] Read)
{
    public static KernelStatement Of(string text)
    {
        Match match = Assignment().Match(text);
        return match.Success
            ? new(text, match.Groups["target"].Value, [.. KernelText.Names(match.Groups["value"].Value)])
            : new(text, null, [.. KernelText.Names(text)]);
    }

    [GeneratedRegex(@"^(?<target>var\d+)(\.field_\d+)*\s*=(?!=)(?<value>.*)$")]
    private static partial Regex Assignment();
}
