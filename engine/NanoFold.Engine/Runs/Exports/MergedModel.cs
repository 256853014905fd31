using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Exports;

/// <summary>A model with adapters as the one without that computes the same: each matrix that has an adapter around it becomes the matrix as it acts.</summary>
public static class MergedModel
{
    /// <summary>Makes it, on the same backend.</summary>
    /// <param name="model">With adapters; not changed.</param>
    /// <exception cref="UserException">An adapter gives a bias to a layer that has no place for one.</exception>
    public static Transformer Of(Transformer model)
    {
        IReadOnlyList<AdaptedLayer> layers = model.Adapters?.Layers ?? [];
        // The head of a tied model reads the table without what is put around it, so that afterwards there are two.
        bool unties = model.Config.Tied && layers.Any(layer => layer is AdaptedEmbedding);
        var merged = new Transformer(model.Config with { Adapters = [], Tied = model.Config.Tied && !unties }, model.Backend, source: null, trains: null, model.Store.Type);
        try
        {
            merged.Store.Fill(new FirstOfSources(new StoreSource(model.Store), new HeadOf(model)));
            foreach (AdaptedLayer layer in layers)
            {
                Write(model.Backend, merged.Store[$"{layer.Name}.weight"], layer.Weight);
                if (merged.Store.Find($"{layer.Name}.bias") is Parameter bias)
                {
                    Write(model.Backend, bias, layer.Bias);
                }
                else if (!layer.Bias(new Tape(model.Backend)).IsNone)
                {
                    throw new UserException($"model.adapters: that of {layer.Name} has a bias and the layer has none, so that they cannot be merged");
                }
            }

            merged.Store.Changed();
            return merged;
        }
        catch
        {
            merged.Dispose();
            throw;
        }
    }

    private static void Write(Backend backend, Parameter target, Func<Tape, Tensor> record)
        => AdaptedLayer.Compute(backend, target.Type, record, value => backend.Copy(value.With(target.Layout), target.Store.Values(target)));

    /// <summary>The head of a model that had none of its own: the table of its tokens.</summary>
    private sealed class HeadOf(Transformer model) : IParameterSource
    {
        public bool TryFill(StoredTensor tensor)
        {
            if (tensor.Name != "lm_head.weight")
            {
                return false;
            }

            model.Backend.Copy(model.Store.Values(model.Store["model.embed_tokens.weight"]), tensor.Store.Values(tensor));
            return true;
        }
    }
}
