using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>Elementwise formulas and copies of four-byte elements on an OpenCL device that is a processor.</summary>
internal sealed class VectorMap(GpuContext context) : IDisposable
{
    // Elements of a group: enough to be worth its start.
    private const int Piece = 4096;

    // Shorter lines are no vectors.
    private const int LeastLine = 8;

    // By the type of a formula, or what is written of it, and how operands lie.
    private readonly Dictionary<(object Formula, int Steps), OpenClProgram> _kernels = [];

    /// <summary>Runs it, or returns false: for elements of other sizes, short lines, more than four dimensions that cannot be merged, formulas of very many numbers.</summary>
    public bool TryRun<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z, bool accumulateZ)
        where TOp : struct, IPointwise
    {
        if (y.Type.Size() != sizeof(float) || y.Count == 0)
        {
            return false;
        }

        Nest nest = Nest.Of(y.Layout, a.Layout, b.Layout, c.Layout, z.Layout);
        int length = nest.Rank switch { 1 => nest.Count, 2 => nest.N1, 3 => nest.N2, 4 => nest.N3, _ => 0 };
        if (length < LeastLine && nest.Count >= LeastLine || length == 0)
        {
            return false;
        }

        // Places before the first dimension are none: as many lines as there are do for its length.
        int lines = nest.Count / length;
        var operands = new Operands
        {
            Y = Place.Of(y, nest.Rank, nest.Y), Z = Place.Of(z, nest.Rank, nest.Z),
            A = Place.Of(a, nest.Rank, nest.A), B = Place.Of(b, nest.Rank, nest.B), C = Place.Of(c, nest.Rank, nest.C),
            N1 = nest.Rank == 4 ? nest.N1 : lines, N2 = nest.Rank switch { 3 => nest.N1, 4 => nest.N2, _ => lines },
            Lines = lines, Length = length, Piece = Piece, Pieces = (length + Piece - 1) / Piece, Together = Math.Max(1, Piece / length),
            AccumulateY = accumulateY ? 1 : 0, AccumulateZ = accumulateZ ? 1 : 0,
        };
        if (Get(op, ref operands) is not { } program)
        {
            return false;
        }

        int groups = (operands.Lines + operands.Together - 1) / operands.Together * operands.Pieces;
        program.Launch(operands, groups, 1, 1, context.Handle(a), context.Handle(b), context.Handle(c), context.Handle(y), context.Handle(z));
        return true;
    }

    public void Dispose()
    {
        foreach (OpenClProgram program in _kernels.Values)
        {
            program.Dispose();
        }
    }

    // What a formula without fields does is known by its type; of any other it is written down each time, and its numbers are put into the operands.
    private OpenClProgram? Get<TOp>(TOp op, ref Operands operands)
        where TOp : struct, IPointwise
    {
        int[] steps = [Step(operands.Y), Step(operands.Z), Step(operands.A), Step(operands.B), Step(operands.C)];
        int all = steps.Aggregate((sum, step) => 3 * sum + step);
        bool hasFields = FieldsOf<TOp>.Are;
        if (!hasFields && _kernels.TryGetValue((typeof(TOp), all), out OpenClProgram? known))
        {
            return known;
        }

        TextLane first = op.Invoke(TextLane.Variable("a"), TOp.Operands > 1 ? TextLane.Variable("b") : default, TOp.Operands > 2 ? TextLane.Variable("c") : default, out TextLane second);
        var formula = new FormulaText(areNumbersOperands: hasFields);
        string y = formula.Name(first);
        string? z = TOp.IsPair ? formula.Name(second) : null;
        if (hasFields && formula.Numbers.Count > VectorMapSource.MostNumbers)
        {
            return null;
        }

        string source = VectorMapSource.Of(formula, y, z, TOp.Operands, p => steps["yzabc".IndexOf(p, StringComparison.Ordinal)]);
        if (hasFields)
        {
            formula.Numbers.CopyTo(operands.K);
        }

        (object, int) key = hasFields ? (source, all) : (typeof(TOp), all);
        if (!_kernels.TryGetValue(key, out known))
        {
            known = new OpenClProgram(context, "map", source);
            _kernels.Add(key, known);
        }

        return known;
    }

    /// <summary>Whether a formula has any.</summary>
    private static class FieldsOf<TOp>
    {
        public static readonly bool Are = In(typeof(TOp));

        private static bool In(Type type)
            => type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).Any(f => f.FieldType.IsPrimitive || !f.FieldType.IsValueType || In(f.FieldType));
    }

    private static int Step(in Place place) => place.Step is 0 or 1 ? (int)place.Step : 2;

    /// <summary>Where an operand begins, and how far it is from line to line along three dimensions and from neighbor to neighbor, as in the kernel.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Place
    {
        public long Offset, S0, S1, S2, Step;

        public static Place Of(in View view, int rank, in Nest.Steps s) => rank switch
        {
            1 => new() { Offset = view.Offset, Step = s.S0 },
            2 => new() { Offset = view.Offset, S2 = s.S0, Step = s.S1 },
            3 => new() { Offset = view.Offset, S1 = s.S0, S2 = s.S1, Step = s.S2 },
            _ => new() { Offset = view.Offset, S0 = s.S0, S1 = s.S1, S2 = s.S2, Step = s.S3 },
        };
    }

    /// <summary>As the kernel's struct.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Operands
    {
        public Place Y, Z, A, B, C;
        public int N1, N2, Lines, Length, Piece, Pieces, Together, AccumulateY, AccumulateZ;
        public NumberList K;
    }

    [InlineArray(VectorMapSource.MostNumbers)]
    private struct NumberList
    {
        private float _first;
    }
}
