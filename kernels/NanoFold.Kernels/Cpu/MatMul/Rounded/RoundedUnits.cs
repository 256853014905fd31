using System.Diagnostics;
using System.Runtime.InteropServices;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>
/// Which unit of the processor multiplies bfloat16. A processor may have one that is slower than its floats, so that it is measured, once a process: the programs themselves on
/// operands in the first-level cache.
/// </summary>
public static unsafe class RoundedUnits
{
    // A unit must be clearly faster, or results would change from one process to the next.
    private const double LeastGain = 1.25;
    private const int Panels = 4, Steps = 128, Repetitions = 40, YRow = PairProgram.Columns * sizeof(float);

    private static readonly UnitFacts s_facts = UnitFacts.Found();
    private static readonly Lazy<(InstructionSet? Unit, double Gain)> s_chosen = new(() => Choose(s_facts.Usable()));

    /// <summary>The units that are there, allowed and able to run programs.</summary>
    public static IReadOnlyList<InstructionSet> There { get; } = s_facts.Usable();

    /// <summary>The one that is used; null where floats are.</summary>
    public static InstructionSet? Chosen => s_chosen.Value.Unit;

    /// <summary>Its measured rate over that of floats; 1 where floats are used.</summary>
    public static double Gain => s_chosen.Value.Gain;

    /// <summary>Why bfloat16 is multiplied as floats, in a few words; null where a unit is used.</summary>
    public static string? Reason => Chosen is null ? s_facts.WhyFloats() : null;

    /// <summary>The fastest of some units with its gain; null and 1 where there is none, or none that is fast enough.</summary>
    internal static (InstructionSet? Unit, double Gain) Choose(IReadOnlyList<InstructionSet> there)
    {
        if (there.Count == 0)
        {
            return (null, 1);
        }

        MachineProgram? floats = MachineProgram.Place(w => PairProgram.Write(w, 2, VectorInstruction.MultiplyAdd), out _);
        if (floats is null)
        {
            return (null, 1);
        }

        // A step of floats is one k, one of a unit two.
        double single = FloatRate(floats);
        (InstructionSet Unit, double Gain)[] units =
        [
            .. there.Select(unit => (unit, (unit == InstructionSet.Tiles ? Rate<TileKernel<PlacedTiles>>() : Rate<PairKernel<PlacedPairs>>()) / single)),
        ];
        (InstructionSet Unit, double Gain) best = units.MaxBy(u => u.Gain);
        // What is named is taken as it is.
        return InstructionSets.Named is { } named && units.FirstOrDefault(u => u.Unit == named) is { Gain: > 0 } wanted ? wanted
            : best.Gain >= LeastGain ? best
            : (null, 1);
    }

    /// <summary>k a tick of the clock, times rows.</summary>
    private static double Rate(int rows, int stepDepth, Run run)
    {
        int a = Panels * rows * Steps, b = PairProgram.Columns * Steps, y = Panels * rows * PairProgram.Columns;
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)(a + b + y) * sizeof(float), 64);
        new Span<float>(memory, a + b + y).Clear();
        long best = long.MaxValue;
        for (int i = 0; i < Repetitions; i++)
        {
            long started = Stopwatch.GetTimestamp();
            run(memory, memory + a, memory + a + b);
            best = Math.Min(best, Stopwatch.GetTimestamp() - started);
        }

        NativeMemory.AlignedFree(memory);
        return (double)Panels * rows * Steps * stepDepth / Math.Max(best, 1);
    }

    private static double Rate<TKernel>()
        where TKernel : struct, IMicroKernel
        => Rate(TKernel.Rows, 2, (a, b, y) => TKernel.Run<PackedPanel>(TKernel.Rows, false, Panels, Steps, (byte*)a, 0, (byte*)b, 0, (byte*)y, YRow, 1, false));

    private static double FloatRate(MachineProgram program) => Rate(PairProgram.Rows, 1, (a, b, y) =>
    {
        var arguments = new TileArguments { Panels = Panels, Steps = Steps, A = (byte*)a, B = (byte*)b, Y = (byte*)y, YRow = YRow, Alpha = 1 };
        program.Run(&arguments);
    });

    private delegate void Run(float* a, float* b, float* y);
}
