using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Network;

/// <summary>
/// Jacobians of stretches of a model between two points, at the values that the tokens have there: products from the left by the backward pass, from the right by central differences
/// in double precision. All stretches are run in one pass, each from its own values. Every window stands in the batch twice: for its map of all places, and for that from its
/// last place to its last place.
/// </summary>
internal sealed class BlockJacobians : IDisposable
{
    // Of the norm of a row: rounding is about 1e-10 then, and few choices flip within a step. In single precision truncation and rounding are about equal.
    private const double Step = 1e-6, SingleStep = 3e-3;

    // Relative errors of a product.
    private const double Least = 1e-8, SingleLeast = 1e-3;

    private readonly Transformer? _inDouble;
    private readonly SteeredPass _pass;
    private readonly double[][] _base;
    private readonly double[] _scale; // [maps, rows]: median norm of a place
    private readonly double[] _plus;
    private readonly double[] _minus;
    private readonly double _step;
    private readonly int _rows;
    private readonly int _width;

    /// <param name="network">Model and tokens.</param>
    /// <param name="windows">How many.</param>
    /// <param name="time">Places of each.</param>
    /// <param name="maps">Points from and to, in the order of the pass.</param>
    public BlockJacobians(NetworkSample network, int windows, int time, IReadOnlyList<(string From, string To)> maps)
    {
        (Windows, Time, _width) = (Math.Min(windows, network.Batch), Math.Min(time, network.Time), network.Model.Config.Width);
        _rows = 2 * Windows;
        BatchRows batch = WindowBatch.Of(network, windows, time, copies: 2);
        _inDouble = WindowBatch.InDouble(network.Model);
        _step = IsDouble ? Step : SingleStep;
        _pass = new SteeredPass(_inDouble ?? network.Model, network.Task, batch, SteerKind.Replace, [.. maps.Select(map => map.From)], [.. maps.Select(map => map.To)]);
        _base = [.. maps.Select(_ => new double[_pass.Elements])];
        _scale = new double[maps.Count * _rows];
        (_plus, _minus) = (new double[_pass.Elements], new double[_pass.Elements]);
        for (int map = 0; map < maps.Count; map++)
        {
            // What is before it has its own values already.
            _pass.RunForward();
            _pass.ReadValue(map, _base[map]);
            _pass.Give(map, _base[map]);
            for (int row = 0; row < _rows; row++)
            {
                double[] norms = [.. Enumerable.Range(row * Time, Time).Select(place => TensorPrimitives.Norm<double>(_base[map].AsSpan(place * _width, _width))).Order()];
                _scale[(map * _rows) + row] = norms[Time / 2] > 0 ? norms[Time / 2] : 1;
            }
        }
    }

    /// <summary>Whether it computes in double precision.</summary>
    public bool IsDouble => _inDouble is not null;

    /// <summary>Windows.</summary>
    public int Windows { get; }

    /// <summary>Places of a window.</summary>
    public int Time { get; }

    /// <summary>Goes through some rounds of bidiagonalization.</summary>
    /// <returns>By map and window: of all places, and of the last place.</returns>
    public (Bidiagonalization All, Bidiagonalization Last)[][] Run(int rounds, ulong seed)
    {
        double least = IsDouble ? Least : SingleLeast;
        Bidiagonalization New(int map, int row) => new(row < Windows ? Time * _width : _width, GaussianSource.Mix(seed, (ulong)((map * _rows) + row)), least);
        Bidiagonalization[][] found = [.. _base.Select((_, map) => Enumerable.Range(0, _rows).Select(row => New(map, row)).ToArray())];
        for (int round = 0; round < rounds && found.Any(map => map.Any(one => !one.IsDone)); round++)
        {
            Multiply(found);
            MultiplyTransposed(found);
        }

        return [.. found.Select(map => Enumerable.Range(0, Windows).Select(window => (map[window], map[Windows + window])).ToArray())];
    }

    /// <summary>J v of all maps, (f(x + h v) − f(x − h v)) / 2h.</summary>
    private void Multiply(Bidiagonalization[][] found)
    {
        var steps = new double[_scale.Length];
        double[][] plus = [.. found.Select(_ => new double[_pass.Elements])];
        for (int sign = 1; sign >= -1; sign -= 2)
        {
            for (int map = 0; map < found.Length; map++)
            {
                double[] given = sign > 0 ? _plus : _minus;
                _base[map].CopyTo(given, 0);
                for (int row = 0; row < _rows; row++)
                {
                    double step = steps[(map * _rows) + row] = _step * _scale[(map * _rows) + row] / LargestPlace(found[map][row].Right);
                    Span<double> place = Part(given, row);
                    TensorPrimitives.MultiplyAdd(found[map][row].Right, sign * step, place, place);
                }

                _pass.Give(map, given);
            }

            _pass.RunForward();
            for (int map = 0; map < found.Length; map++)
            {
                _pass.ReadOutput(map, sign > 0 ? plus[map] : _minus);
                for (int row = 0; row < _rows && sign < 0; row++)
                {
                    double[] image = Part(plus[map], row).ToArray();
                    TensorPrimitives.Subtract(image, Part(_minus, row), image);
                    TensorPrimitives.Divide(image, 2 * steps[(map * _rows) + row], image);
                    found[map][row].TakeImage(image);
                }
            }
        }
    }

    /// <summary>Jᵀ u of all maps.</summary>
    private void MultiplyTransposed(Bidiagonalization[][] found)
    {
        for (int map = 0; map < found.Length; map++)
        {
            Array.Clear(_plus);
            for (int row = 0; row < _rows; row++)
            {
                if (!found[map][row].IsDone)
                {
                    found[map][row].Left.CopyTo(Part(_plus, row));
                }
            }

            _pass.Give(map, _base[map]);
            _pass.Weigh(map, _plus);
        }

        _pass.Run();
        for (int map = 0; map < found.Length; map++)
        {
            _pass.ReadGradient(map, _minus);
            for (int row = 0; row < _rows; row++)
            {
                found[map][row].TakeTransposed(Part(_minus, row).ToArray());
            }
        }
    }

    public void Dispose()
    {
        _pass.Dispose();
        _inDouble?.Dispose();
    }

    // The places of a row that its map is of: all, or the last.
    private Span<double> Part(double[] values, int row) => row < Windows
        ? values.AsSpan(row * Time * _width, Time * _width)
        : values.AsSpan((((row + 1) * Time) - 1) * _width, _width);

    private double LargestPlace(double[] direction)
    {
        double largest = 0;
        for (int at = 0; at < direction.Length; at += _width)
        {
            largest = Math.Max(largest, TensorPrimitives.Norm<double>(direction.AsSpan(at, _width)));
        }

        return largest;
    }
}
