using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Generation;

/// <summary>
/// Continues prompts. A prompt begins with BOS where the tokenizer has it; an empty one has a newline otherwise. Of a prompt longer than the
/// context the model sees the last part. Where the context is full while generating, the model goes on with the last half of it, as if that
/// were the beginning of the text (see <see cref="Decoder"/>); one whose state
/// serves a text of any length goes on with all of it.
/// </summary>
/// <remarks>For one thread at a time. It may be kept while the model is trained further.</remarks>
public sealed class Generator : IDisposable
{
    private readonly Transformer _model;
    private readonly Tokenizer _tokenizer;
    private readonly SharedArena? _arena;
    private readonly float[] _logits;
    private Decoder? _decoder;

    /// <param name="model">In float32; not disposed here.</param>
    /// <param name="tokenizer">The one that the model was trained with. Ids beyond its vocabulary are never sampled.</param>
    /// <param name="arena">Memory shared with what does not run while generating; null for its own.</param>
    /// <exception cref="UserException">The tokenizer has tokens that the model does not know.</exception>
    public Generator(Transformer model, Tokenizer tokenizer, SharedArena? arena = null)
    {
        if (tokenizer.Vocab > model.Config.Vocab)
        {
            throw new UserException($"tokenizer: has {tokenizer.Vocab} tokens, but the model knows {model.Config.Vocab}; use the tokenizer that the model was trained with");
        }

        _model = model;
        _tokenizer = tokenizer;
        _arena = arena;
        _logits = new float[model.Config.Vocab];
    }

    /// <summary>Generates one sample per prompt, all at once.</summary>
    /// <param name="prompts">At least one; may be empty strings.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="seed">Of the draws: sample i of equal prompts, options and seed is the same every time.</param>
    /// <param name="onText">
    /// Told of each row's new text as it comes, in whole characters and never beyond a stop string. Its pieces make up the sample's text.
    /// </param>
    /// <param name="cancellationToken">Looked at before every run of the model.</param>
    /// <exception cref="ConfigException">Options are out of their ranges.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the text so far went to <paramref name="onText"/>.</exception>
    public GenerationResult Generate(
        IReadOnlyList<string> prompts,
        GenerationConfig options,
        ulong seed = 0,
        Action<int, string>? onText = null,
        CancellationToken cancellationToken = default)
    {
        if (prompts.Count == 0)
        {
            throw new ArgumentException("generate: no prompts; give at least one, which may be empty");
        }

        var sampler = new Sampler(options, _tokenizer.Vocab, seed);
        SampleRow[] rows = [.. prompts.Select(prompt => new SampleRow(prompt, _tokenizer, options))];
        Decoder decoder = DecoderFor(rows.Length);
        for (int row = 0; row < rows.Length; row++)
        {
            rows[row].DroppedPromptTokens = decoder.Begin(row, rows[row].Tokens);
        }

        var clock = new DecodeClock();
        cancellationToken.ThrowIfCancellationRequested();
        while (decoder.Run() > 0)
        {
            int sampled = 0;
            for (int row = 0; row < rows.Length; row++)
            {
                if (decoder.HasLogits(row))
                {
                    SampleNext(decoder, sampler, rows[row], row, onText);
                    sampled++;
                }
            }

            clock.Add(sampled);
            cancellationToken.ThrowIfCancellationRequested();
        }

        return new GenerationResult([.. rows.Select(row => row.ToSample())], clock.TokensPerSecond);
    }

    public void Dispose() => _decoder?.Dispose();

    private void SampleNext(Decoder decoder, Sampler sampler, SampleRow sample, int row, Action<int, string>? onText)
    {
        decoder.ReadLogits(row, _logits);
        int token = sampler.Next(_logits.AsSpan(0, _tokenizer.Vocab), sample.Tokens, row);
        string text = sample.Add(token);
        if (text.Length > 0)
        {
            onText?.Invoke(row, text);
        }

        if (sample.Finish is null)
        {
            decoder.Append(row, token);
        }
        else
        {
            decoder.End(row);
        }
    }

    private Decoder DecoderFor(int batch)
    {
        if (_decoder?.Batch != batch)
        {
            _decoder?.Dispose();
            _decoder = null;
            _decoder = new Decoder(_model, batch, _arena);
        }

        return _decoder;
    }
}
