using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>The micro-kernels, widest first. Those the machine does not accelerate run emulated.</summary>
internal static class Engines
{
    private static readonly (Isa Isa, bool Preferred, Engine Engine)[] s_single =
    [
        (Isa.Vector512, true, new Engine<SixRowKernel<Ops512, Vector512<float>>, PlainOperands<float>, Ops512, Vector512<float>, float>("512-bit 6x32")),
        (Isa.Vector256, true, new Engine<SixRowKernel<Ops256, Vector256<float>>, PlainOperands<float>, Ops256, Vector256<float>, float>("256-bit 6x16")),
        (Isa.Vector128, AdvSimd.Arm64.IsSupported, new Engine<EightRowKernel<Ops128, Vector128<float>>, PlainOperands<float>, Ops128, Vector128<float>, float>("128-bit 8x8")),
        (Isa.Vector128, !AdvSimd.Arm64.IsSupported, new Engine<SixRowKernel<Ops128, Vector128<float>>, PlainOperands<float>, Ops128, Vector128<float>, float>("128-bit 6x8")),
        (Isa.Scalar, true, new Engine<SixRowKernel<OpsScalar<float>, float>, PlainOperands<float>, OpsScalar<float>, float, float>("scalar 6x2")),
    ];

    /// <summary>For double precision.</summary>
    public static Engine Double { get; } = new Engine<SixRowKernel<DoubleOps, Vector256<double>>, PlainOperands<double>, DoubleOps, Vector256<double>, double>("float64 6x8");

    /// <summary>All engines for float32, those not preferred on this machine too.</summary>
    public static IEnumerable<Engine> AllSingle => s_single.Select(line => line.Engine);

    public static Engine For(Isa isa) => Array.Find(s_single, line => line.Isa == isa && line.Preferred).Engine;
}
