using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Runs;

/// <summary>What other tools call a setting: the key that someone who comes from one of them means.</summary>
public static class SettingAliases
{
    // Written as compared: without dashes, underscores and capitals.
    private static readonly (string Key, string Names)[] s_names =
    [
        ("model.layers", "nlayer nlayers numlayers numhiddenlayers nblocks numblocks depth"),
        ("model.width", "hiddensize dmodel dim nembd embeddim embeddingsize embeddingdim modeldim"),
        ("model.heads", "nhead nheads numheads numattentionheads"),
        ("model.kvHeads", "nkvheads nheadkv numkvheads numkeyvalueheads"),
        ("model.headDim", "headsize dhead dk"),
        ("model.context", "blocksize seqlen seqlength sequencelength maxseqlen maxseqlength maxsequencelength contextlength contextsize nctx ctx npositions maxpositionembeddings"),
        ("model.vocab", "vocabsize nvocab paddedvocabsize"),
        ("model.hidden", "intermediatesize dff ffndim ffnhiddensize ninner hiddendim mlpdim"),
        ("model.normEpsilon", "rmsnormeps normeps layernormeps layernormepsilon"),
        ("model.ropeBase", "ropetheta rotarybase"),
        ("model.ropeScaling", "ropescaling ropescalingtype"),
        ("model.scoreScale", "querypreattnscalar attentionmultiplier softmaxscale"),
        ("model.scoreCap", "attnlogitsoftcapping attnlogitsoftcap attnsoftcap"),
        ("model.qkNorm", "useqknorm qklayernorm"),
        ("model.qkvBias", "useqkvbias attentionbias"),
        ("model.feedForwardBias", "mlpbias ffnbias"),
        ("model.headBias", "lmheadbias outputbias"),
        ("model.parallel", "useparallelresidual parallelresidual parallelattn parallelattnmlp"),
        ("model.normGainFromOne", "unitoffset addunitoffset rmsnormunitoffset zerocenteredgamma"),
        ("model.embeddingScale", "embeddingmultiplier scaleemb scaleembeddings embedscale"),
        ("model.logitCap", "finallogitsoftcapping finallogitsoftcap logitsoftcap logitssoftcap"),
        ("model.tied", "tiewordembeddings tieweights tieembeddings weighttying"),
        ("model.dropout", "residpdrop attnpdrop attentiondropout hiddendropout"),
        ("model.mixer", "attn attention"),
        ("model.mixer.window", "slidingwindow windowsize"),
        ("model.feedForward", "ffn mlp hiddenact activationfunction"),
        ("model.feedForward.experts", "numexperts nexperts numlocalexperts nroutedexperts"),
        ("model.feedForward.active", "numexpertspertok numexpertspertoken moetopk"),
        ("model.feedForward.balanceLoss", "routerauxlosscoef auxlosscoef loadbalancingloss"),
        ("train.steps", "maxsteps maxiters numsteps nsteps totalsteps iterations iters numiterations numtrainsteps trainsteps"),
        ("train.batch", "batchsize microbatchsize perdevicetrainbatchsize devicebatchsize trainbatchsize bs"),
        ("train.accumulate", "gradientaccumulationsteps gradaccum gradaccumsteps accumulationsteps accumulategradbatches"),
        ("train.learningRate", "lr maxlr peaklr baselr"),
        ("train.optimizer.matrixLearningRate", "muonlr matrixlr"),
        ("train.finalLearningRate", "minlr lrmin finallr etamin"),
        ("train.warmup", "warmupsteps warmupiters numwarmupsteps lrwarmupsteps"),
        ("train.schedule", "lrscheduler lrschedulertype lrschedule scheduler"),
        ("train.optimizer", "optim opt"),
        ("train.weightDecay", "wd"),
        ("train.optimizer.beta1", "adambeta1"),
        ("train.optimizer.beta2", "adambeta2"),
        ("train.optimizer.epsilon", "adamepsilon adameps eps"),
        ("train.clip", "gradclip maxgradnorm gradientclipval clipgrad clipgradnorm"),
        ("train.seed", "randomseed"),
        ("train.minutes", "maxtime"),
        ("train.evaluateEvery", "evalinterval evalsteps evalevery valinterval"),
        ("train.checkpointEvery", "savesteps saveinterval saveevery checkpointinterval"),
        ("train.keepCheckpoints", "savetotallimit"),
        ("train.logEvery", "loginterval loggingsteps"),
        ("train.precision", "dtype torchdtype mixedprecision amp"),
        ("train.recompute", "gradientcheckpointing activationcheckpointing checkpointactivations"),
        ("data.path", "dataset datasetpath datadir traindata"),
        ("data.validationFraction", "valsplit valfraction validationsplit testsize"),
        ("generation.maxTokens", "maxnewtokens maxlength npredict numpredict"),
        ("generation.repetitionPenalty", "repeatpenalty"),
        ("generation.stop", "stopstrings stopsequences"),
    ];

    private static readonly Dictionary<string, string> s_keys =
        s_names.SelectMany(entry => entry.Names.Split(' ').Select(name => (name, entry.Key))).ToDictionary(pair => pair.name, pair => pair.Key);

    /// <summary>Every key that has other names.</summary>
    public static IEnumerable<string> Keys => s_names.Select(entry => entry.Key);

    /// <summary>The key that a name of another tool stands for, or null: <c>hidden_size</c> is <c>model.width</c>.</summary>
    /// <param name="name">In any spelling, without its section.</param>
    public static string? Find(string name) => s_keys.GetValueOrDefault(NearestName.Normal(name));

    /// <summary>The key that an option of a name may stand for: one of another tool's name, or a key's own; null where there is none.</summary>
    public static string? OfOption(string option)
    {
        string wanted = NearestName.Normal(option);
        return Find(option) ?? ConfigSchema.Keys(typeof(RunConfig))
            .SelectMany(section => ConfigSchema.Keys(section.Type).Select(key => (Path: $"{section.Name}.{key.Name}", key.Name)))
            .FirstOrDefault(key => NearestName.Normal(key.Name) == wanted).Path
            ?? MovedKeys.All.Select(key => key.Now).FirstOrDefault(key => NearestName.Normal(key[(key.LastIndexOf('.') + 1)..]) == wanted);
    }
}
