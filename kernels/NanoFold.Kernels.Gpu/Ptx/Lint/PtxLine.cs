namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>An instruction of a listing.</summary>
/// <param name="Text">As it stands there, without the semicolon.</param>
/// <param name="Opcode">With its modifiers: <c>ld.global.v4.f32</c>.</param>
/// <param name="Guard">Register of its predicate, or −1.</param>
/// <param name="IsNegated">Whether it runs where the predicate does not hold.</param>
/// <param name="Writes">Registers that it sets.</param>
/// <param name="Reads">Registers that it reads, the guard among them.</param>
/// <param name="Label">Where a branch leads, or null.</param>
internal sealed record PtxLine(string Text, string Opcode, int Guard, bool IsNegated, int[] Writes, int[] Reads, string? Label)
{
    public bool IsBranch => Label is not null;

    /// <summary>Its predicate and whether that is negated, as one number; −1 without one.</summary>
    public int Condition => Guard < 0 ? -1 : (2 * Guard) + (IsNegated ? 1 : 0);

    /// <summary>Whether nothing follows it: a return or a branch without a predicate.</summary>
    public bool EndsFlow => Guard < 0 && (IsBranch || IsReturn);

    public bool IsReturn => Opcode is "ret" or "exit" or "trap";
}
