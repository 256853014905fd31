using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Bench;

/// <summary>Instruction sets as <c>--isa</c> names them, the widest first.</summary>
internal static class IsaNames
{
    private static readonly (string Name, Isa Isa)[] s_known =
        [("avx512", Isa.Vector512), ("avx2", Isa.Vector256), ("128", Isa.Vector128), ("scalar", Isa.Scalar)];

    /// <summary>The names up to that of a set.</summary>
    public static string[] UpTo(Isa widest) => [.. s_known.Where(known => known.Isa <= widest).Select(known => known.Name)];

    public static string Of(Isa isa) => s_known.First(known => known.Isa == isa).Name;

    /// <summary>What a name means; null where it is none.</summary>
    public static Isa? Find(string name) => s_known.FirstOrDefault(known => known.Name == name) is { Name: not null } found ? found.Isa : null;
}
