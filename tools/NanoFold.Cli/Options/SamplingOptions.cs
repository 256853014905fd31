using System.CommandLine;
using NanoFold.Engine.Generation;

namespace NanoFold.Cli.Options;

/// <summary>The options that say how text is sampled; what is not given is as the run's configuration says.</summary>
internal sealed class SamplingOptions
{
    private static readonly Type s_settings = typeof(GenerationConfig);

    private readonly Func<Invocation, string, string, string> _unescape;
    private readonly Option<string[]> _stops;
    private readonly Option<long?> _maxTokens;
    private readonly Option<double?> _temperature;
    private readonly Option<long?> _topK;
    private readonly Option<double?> _topP;
    private readonly Option<double?> _minP;
    private readonly Option<double?> _penalty;
    private readonly Option<bool> _spared;
    private readonly Option<bool> _ignoreEos;
    private readonly Option<long?> _keep;

    /// <param name="command">Gets the options.</param>
    /// <param name="unescape">What a text that was given with an option means.</param>
    public SamplingOptions(VerbCommand command, Func<Invocation, string, string, string> unescape)
    {
        _unescape = unescape;
        _stops = command.Texts("--stop", "TEXT", "End before this text; may be given several times");
        _maxTokens = command.Integer("--max-tokens", "Tokens at most (generation.maxTokens)", 1, int.MaxValue);
        _temperature = command.Number("--temperature", "X", "0 takes the likeliest token (generation.temperature)", s_settings, nameof(GenerationConfig.Temperature));
        _topK = command.Integer("--top-k", "Sample from the K likeliest only, 0 for all (generation.topK)", 0, int.MaxValue);
        _topP = command.Number("--top-p", "P", "Sample from the smallest set with this mass (generation.topP)", s_settings, nameof(GenerationConfig.TopP));
        _minP = command.Number("--min-p", "P", "Leave out what is below this share of the likeliest (generation.minP)", s_settings, nameof(GenerationConfig.MinP));
        _penalty = command.Number("--repetition-penalty", "X", "Above 1 makes tokens that were there less likely (generation.repetitionPenalty)", s_settings, nameof(GenerationConfig.RepetitionPenalty));
        _spared = command.Flag("--no-prompt-penalty", "Leave the prompt's tokens out of the repetition penalty (generation.penalizePrompt=false)");
        _ignoreEos = command.Flag("--ignore-eos", "Never draw the mark that ends a text (generation.ignoreEos)");
        _keep = command.Integer("--keep", "First tokens that stay in view where the context is full (generation.keep)", 0, int.MaxValue);
    }

    /// <summary>What the options change of a configuration.</summary>
    public Func<GenerationConfig, GenerationConfig> Change(Invocation invocation)
    {
        string[]? stops = invocation.Get(_stops) is { Length: > 0 } given ? [.. given.Select(text => _unescape(invocation, text, _stops.Name))] : null;
        return options => options with
        {
            MaxTokens = (int)(invocation.Get(_maxTokens) ?? options.MaxTokens),
            Temperature = invocation.Get(_temperature) ?? options.Temperature,
            TopK = (int)(invocation.Get(_topK) ?? options.TopK),
            TopP = invocation.Get(_topP) ?? options.TopP,
            MinP = invocation.Get(_minP) ?? options.MinP,
            RepetitionPenalty = invocation.Get(_penalty) ?? options.RepetitionPenalty,
            PenalizePrompt = options.PenalizePrompt && !invocation.Get(_spared),
            IgnoreEos = options.IgnoreEos || invocation.Get(_ignoreEos),
            Keep = (int)(invocation.Get(_keep) ?? options.Keep),
            Stop = stops ?? options.Stop,
        };
    }
}
