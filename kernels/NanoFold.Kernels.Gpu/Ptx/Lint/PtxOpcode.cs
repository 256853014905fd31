using System.Text.RegularExpressions;

namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>An instruction with the modifiers that it may have, and where it is.</summary>
/// <param name="Pattern">An expression that its text matches whole; a point stands for itself.</param>
/// <param name="Target">Least compute capability.</param>
/// <param name="Version">Least version of PTX: 7.8 is 78.</param>
/// <param name="Results">Its first operands that are set.</param>
/// <param name="Meeting">Which threads must come to it together.</param>
/// <param name="OnlyTarget">Whether it is for devices of just that capability (<c>sm_90a</c>), which the text must then ask for.</param>
internal sealed record PtxOpcode(string Pattern, int Target = 60, int Version = 60, int Results = 1, PtxMeeting Meeting = PtxMeeting.None, bool OnlyTarget = false)
{
    private readonly Regex _whole = new($"^({Pattern.Replace(".", @"\.", StringComparison.Ordinal)})$", RegexOptions.Compiled | RegexOptions.CultureInvariant);

    public bool Matches(string opcode) => _whole.IsMatch(opcode);
}

/// <summary>Which threads must come to an instruction together.</summary>
internal enum PtxMeeting
{
    None,

    /// <summary>All of a warp.</summary>
    Warp,

    /// <summary>All of a block.</summary>
    Block,
}
