using System.Numerics.Tensors;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// How far a model has moved from the one that its run began with: ‖W − W₀‖ / ‖W₀‖ over all of its parameters, matrices with an adapter around them as they act. What the run began
/// with is read from its files, a tensor at a time.
/// </summary>
/// <param name="config">Of the run.</param>
/// <param name="model">What is trained.</param>
internal sealed class WeightDrift(RunConfig config, Transformer model)
{
    private const int PieceElements = 1 << 20;

    private readonly Backend _backend = model.Backend;
    private readonly float[] _first = new float[PieceElements], _second = new float[PieceElements];
    private double? _norm;

    /// <summary>What it is now; null where the run began with no weights, or they are gone.</summary>
    public double? Measure()
    {
        if (config.Train.Init is not { } init || !Path.Exists(init) || !_backend.HoldsValues)
        {
            return null;
        }

        try
        {
            using OpenedValues start = SavedModel.Open(SavedRun.FindCheckpoint(init), weights: false).Values.Open();
            Dictionary<string, AdaptedLayer> adapted = (model.Adapters?.Layers ?? []).ToDictionary(layer => $"{layer.Name}.weight");
            double moved = 0, all = 0;
            foreach (Parameter parameter in model.Store.Parameters)
            {
                // Adapters of the run are in the matrices that they are around.
                bool isOwn = model.Adapters?.Has(parameter.Name) == true;
                if (isOwn || (parameter.Frozen && !adapted.ContainsKey(parameter.Name)))
                {
                    all += isOwn || _norm is not null ? 0 : Squares(model.Store.Values(parameter));
                    continue;
                }

                using var before = new ParameterStore(_backend);
                Parameter old = before.Add(parameter.Name, parameter.Layout, parameter.Role, Initializer.Zero);
                before.Allocate(source: null);
                if (start.TryFill(old))
                {
                    all += _norm is null ? Squares(before.Values(old)) : 0;
                    moved += adapted.TryGetValue(parameter.Name, out AdaptedLayer? layer) ? Distance(layer, before.Values(old)) : Distance(model.Store.Values(parameter), before.Values(old));
                }
            }

            _norm ??= Math.Sqrt(all);
            return _norm > 0 ? Math.Sqrt(moved) / _norm : null;
        }
        catch (UserException)
        {
            // Another file than the one that the run began with; it is needed for nothing else here.
            return null;
        }
    }

    private double Distance(AdaptedLayer layer, in View before)
    {
        View old = before;
        double distance = 0;
        AdaptedLayer.Compute(_backend, DType.Float32, layer.Weight, now => distance = Distance(now, old));
        return distance;
    }

    private double Distance(in View now, in View before)
    {
        double sum = 0;
        for (long start = 0; start < now.Count; start += PieceElements)
        {
            Span<float> a = Read(now, start, _first), b = Read(before, start, _second);
            TensorPrimitives.Subtract(a, b, a);
            sum += TensorPrimitives.SumOfSquares<float>(a);
        }

        return sum;
    }

    private double Squares(in View values)
    {
        double sum = 0;
        for (long start = 0; start < values.Count; start += PieceElements)
        {
            sum += TensorPrimitives.SumOfSquares<float>(Read(values, start, _first));
        }

        return sum;
    }

    private Span<float> Read(in View values, long start, float[] into)
    {
        Span<float> piece = into.AsSpan(0, (int)Math.Min(PieceElements, values.Count - start));
        _backend.Read(values.With(Layout.Of(piece.Length), start), piece);
        return piece;
    }
}
