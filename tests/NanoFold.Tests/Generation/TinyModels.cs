using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Tests.Generation;

/// <summary>Models whose next token is known or easily had otherwise.</summary>
internal static class TinyModels
{
    public static ModelConfig Shape { get; } = new()
    {
        Layers = 2, Width = 16, Heads = 4, KvHeads = 2, Context = 16, Vocab = 256, Hidden = 24,
    };

    /// <summary>Random weights far enough from where training starts that every part matters and logits are well apart.</summary>
    public static Transformer Random(Backend backend, ModelConfig config, ulong seed = 7)
    {
        var model = new Transformer(config, backend, seed);
        foreach (Parameter parameter in model.Store.Parameters)
        {
            float[] values = Read(model, parameter.Name);
            var random = new Random(values.Length + model.Store.Parameters.ToList().IndexOf(parameter) * 1000);
            bool isHead = parameter.Name is "lm_head.weight" || (config.Tied && parameter.Role == ParameterRole.Embedding);
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)(values[i] + (random.NextDouble() - 0.5) * (isHead ? 2 : 0.4));
            }

            Write(model, parameter.Name, values);
        }

        return model;
    }

    /// <summary>
    /// A model that says <paramref name="script"/> whatever it is given: after position p it is sure of token p of it. Its residual stream is
    /// the one-hot position, for nothing else is ever added.
    /// </summary>
    public static Transformer Scripted(Backend backend, int[] script, int vocab)
    {
        int width = script.Length;
        var model = new Transformer(
            new ModelConfig
            {
                Layers = 1, Width = width, Heads = 1, HeadDim = 2, Context = width, Vocab = vocab, Hidden = 2, Position = PositionKind.Learned,
            },
            backend);
        float[] positions = new float[width * width], head = new float[vocab * width];
        for (int p = 0; p < width; p++)
        {
            positions[p * width + p] = 1;
            head[script[p] * width + p] = 10;
        }

        Write(model, "model.embed_tokens.weight", new float[vocab * width]);
        Write(model, "model.embed_positions.weight", positions);
        Write(model, "model.layers.0.self_attn.o_proj.weight", new float[width * 2]);
        Write(model, "model.layers.0.mlp.down_proj.weight", new float[width * 2]);
        Write(model, "lm_head.weight", head);
        return model;
    }

    public static float[] Read(Transformer model, string name)
    {
        View view = model.Store.Values(model.Store[name]);
        var values = new float[view.Count];
        model.Backend.Download(view, values.AsSpan());
        return values;
    }

    public static void Write(Transformer model, string name, float[] values) =>
        model.Backend.Upload<float>(values, model.Store.Values(model.Store[name]));
}
