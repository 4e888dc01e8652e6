"""Access control and limits: API keys, bind policy, rate limits and quotas."""
