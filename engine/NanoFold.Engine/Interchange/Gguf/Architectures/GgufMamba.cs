using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.Gguf.Architectures;

/// <summary><c>mamba</c>: −exp(A_log) is stored in place of A_log, and the convolution as a matrix.</summary>
internal sealed record GgufMamba : GgufArchitecture
{
    private const int Most = 1 << 24;

    /// <inheritdoc/>
    public override string Name => "mamba";

    /// <inheritdoc/>
    protected override IReadOnlyList<(string Theirs, string Here)> Names { get; } =
    [
        ("backbone.embeddings.", "token_embd."), ("backbone.norm_f.", "output_norm."), ("lm_head.", "output."), ("backbone.layers.", "blk."), (".norm.", ".attn_norm."),
        (".mixer.in_proj.", ".ssm_in."), (".mixer.conv1d.", ".ssm_conv1d."), (".mixer.x_proj.", ".ssm_x."), (".mixer.dt_proj.", ".ssm_dt."), (".mixer.out_proj.", ".ssm_out."),
        (".mixer.A_log", ".ssm_a"), (".mixer.D", ".ssm_d"),
    ];

    /// <inheritdoc/>
    public override JsonObject Keys(GgufFile file, int vocab)
    {
        GgufMetadata here = file.Metadata;
        int width = here.Count("embedding_length", Most), inner = here.Count("ssm.inner_size", Most);
        if (inner % width != 0 || here.Flag("ssm.dt_b_c_rms", false))
        {
            throw inner % width != 0 ? here.Fault(here.Full("ssm.inner_size"), $"is no multiple of the width {width}") : here.Fault(here.Full("ssm.dt_b_c_rms"), "is not supported");
        }

        _ = (here.Has("context_length"), here.Has("feed_forward_length"), here.Has("attention.head_count"));
        return new JsonObject
        {
            ["model_type"] = Name,
            ["vocab_size"] = vocab,
            ["hidden_size"] = width,
            ["num_hidden_layers"] = here.Count("block_count", 4096),
            ["expand"] = inner / width,
            ["intermediate_size"] = inner,
            ["state_size"] = here.Count("ssm.state_size", Most),
            ["conv_kernel"] = here.Count("ssm.conv_kernel", Most),
            ["time_step_rank"] = here.Count("ssm.time_step_rank", Most),
            ["layer_norm_epsilon"] = here.Number("attention.layer_norm_rms_epsilon"),
            ["hidden_act"] = "silu",
            ["use_bias"] = file.Find("blk.0.ssm_in.bias") is not null,
            ["use_conv_bias"] = file.Find("blk.0.ssm_conv1d.bias") is not null,
            ["tie_word_embeddings"] = file.Find("output.weight") is null,
        };
    }

    /// <inheritdoc/>
    public override ITensorFiles Files(GgufFile file) => new ChangedValues(file, name => name.EndsWith(".ssm_a", StringComparison.Ordinal) ? a => MathF.Log(-a) : null);

    /// <inheritdoc/>
    protected override TensorPart Part(TensorPart part, ITensorFiles file, ModelConfig config)
    {
        TensorPart named = base.Part(part, file, config);
        return part is { Shape: [{ } channels, 1, { } taps] } ? named with { Shape = [channels, taps] } : named;
    }
}
