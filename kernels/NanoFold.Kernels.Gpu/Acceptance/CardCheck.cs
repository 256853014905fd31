using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>One thing that a card must do as it is written: an instruction of which only descriptions were at hand, or a kernel that was never run on one.</summary>
public sealed class CardCheck
{
    private readonly Func<ICheckDevice, CheckResult> _run;

    internal CardCheck(string name, int architecture, Func<ICheckDevice, CheckResult> run) => (Name, Architecture, _run) = (name, architecture, run);

    /// <summary>Of letters, digits, points and hyphens: a file can be called so.</summary>
    public string Name { get; }

    /// <summary>The compute capability that has what is checked: this and later ones, 9.0 (90) alone.</summary>
    public int Architecture { get; }

    /// <summary>All of them, the simplest first: what a later one stands on is checked before.</summary>
    public static IReadOnlyList<CardCheck> All { get; } =
    [
        .. CopyProbe.All, .. MatrixStoreProbe.All, .. WarpgroupProbe.All, .. ClusterProbe.All, .. SumProbe.All, .. ProductCheck.All, .. FusedProductCheck.All, .. AttentionCheck.All,
        .. AttentionGradientCheck.All,
    ];

    /// <summary>Whether a compute capability has it.</summary>
    public bool IsFor(int architecture) => Architecture == 90 ? architecture == 90 : architecture >= Architecture;

    /// <exception cref="InvalidOperationException">A kernel failed: the driver refuses all further work of the process.</exception>
    internal CheckResult Run(ICheckDevice device) => _run(device);

    public override string ToString() => Name;
}

/// <summary>What came of a check: the bytes that were expected, and those that the card made.</summary>
public sealed record CheckResult(byte[] Expected, byte[] Got)
{
    /// <summary>Of numbers that are only near those expected: where they are, the bytes that were expected stand for them.</summary>
    /// <param name="expected">Exact.</param>
    /// <param name="got">What the card made, as floats.</param>
    /// <param name="tolerance">Of the difference, absolute and relative.</param>
    internal static CheckResult Near(float[] expected, float[] got, float tolerance)
    {
        float[] seen = [.. expected.Zip(got, (e, g) => MathF.Abs(g - e) <= tolerance * (1 + MathF.Abs(e)) ? e : g)];
        return new CheckResult(MemoryMarshal.AsBytes<float>(expected).ToArray(), MemoryMarshal.AsBytes<float>(seen).ToArray());
    }

    public bool Holds => Expected.AsSpan().SequenceEqual(Got);

    /// <summary>Where they part first, and how many do; null where none does.</summary>
    public string? Difference
    {
        get
        {
            int first = Expected.AsSpan().CommonPrefixLength(Got), count = 0;
            if (Expected.Length != Got.Length)
            {
                return $"{Got.Length} bytes, expected {Expected.Length}";
            }

            for (int i = first; i < Got.Length; i++)
            {
                count += Expected[i] == Got[i] ? 0 : 1;
            }

            return count == 0 ? null : $"{count} of {Got.Length} bytes differ, the first is {first}: {Got[first]}, expected {Expected[first]}";
        }
    }
}
