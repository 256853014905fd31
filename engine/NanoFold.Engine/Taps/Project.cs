using System.Globalization;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>What lies in the span of some directions is taken out, x − QᵀQ x with an orthonormal basis Q [k, D] of them; gradients pass through what is left.</summary>
public sealed record ProjectConfig : EditConfig
{
    /// <summary>The directions, each a number for each element of the point's last dimension.</summary>
    public IReadOnlyList<IReadOnlyList<double>> Directions { get; init; } = [];

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path)
    {
        foreach (ConfigProblem problem in base.Validate(path))
        {
            yield return problem;
        }

        if (Directions.Count == 0)
        {
            yield return new ConfigProblem($"{path}.directions", "is missing; give a list of directions, each a number for each element of the point's last dimension");
        }
        else if (Directions.Any(direction => direction.Count != Directions[0].Count))
        {
            yield return new ConfigProblem($"{path}.directions", "are of different lengths");
        }
        else if (Directions.Select((direction, i) => GivenVector.Problem(direction, $"{path}.directions.{i}")).FirstOrDefault(problem => problem is not null) is { } wrong)
        {
            yield return wrong;
        }
        else if (Subspace.Basis(Directions).Length == 0)
        {
            yield return new ConfigProblem($"{path}.directions", "are all 0; they span nothing");
        }
    }

    /// <inheritdoc/>
    public override ITapEditor Build(TableStore tables)
    {
        double[][] basis = Subspace.Basis(Directions);
        string name = string.Join(" / ", basis.Select(row => string.Join(' ', row.Select(v => v.ToString("R", CultureInfo.InvariantCulture)))));
        int rank = basis.Length, width = basis[0].Length;
        Table across = tables.Get($"basis {name}", Layout.Of(rank, width), () => [.. basis.SelectMany(row => row)]);
        Table back = tables.Get($"basis, transposed {name}", Layout.Of(width, rank), () => [.. Enumerable.Range(0, width * rank).Select(i => basis[i % rank][i / rank])]);
        return new Editor(Points, across, back);
    }

    private sealed class Editor(string pattern, Table across, Table back) : ITapEditor
    {
        public string Pattern => pattern;

        public Tensor Edit(Tape tape, string name, Tensor value)
        {
            int width = back.View.Layout[0];
            if (value[-1] != width)
            {
                throw new UserException($"tap {name}: directions of {width} numbers are given, but it has {value[-1]} elements in its last dimension");
            }

            // A copy first: tables stay in single precision where activations have 16 bits.
            Tensor Copy(Table table) => BroadcastOp.Record(tape, tape.Use(table), table.View.Layout.ToShape());
            Tensor within = LinearOp.Record(tape, LinearOp.Record(tape, BroadcastOp.Contiguous(tape, value), Copy(across)), Copy(back));
            return AddOp.Record(tape, value, ScaleOp.Record(tape, within, -1));
        }
    }
}

/// <summary>Orthonormal bases.</summary>
public static class Subspace
{
    /// <summary>Of the span of some directions, by Gram–Schmidt's rounds, twice each; what is less than 1e-10 of a direction's length is taken for nothing.</summary>
    /// <returns>As many rows as the directions have dimensions.</returns>
    public static double[][] Basis(IReadOnlyList<IReadOnlyList<double>> directions)
    {
        var basis = new List<double[]>();
        foreach (IReadOnlyList<double> direction in directions)
        {
            double[] rest = [.. direction];
            double length = Math.Sqrt(rest.Sum(v => v * v));
            for (int round = 0; round < 2; round++)
            {
                foreach (double[] row in basis)
                {
                    double part = row.Zip(rest, (a, b) => a * b).Sum();
                    for (int i = 0; i < rest.Length; i++)
                    {
                        rest[i] -= part * row[i];
                    }
                }
            }

            double left = Math.Sqrt(rest.Sum(v => v * v));
            if (left > 1e-10 * length)
            {
                basis.Add([.. rest.Select(v => v / left)]);
            }
        }

        return [.. basis];
    }
}
